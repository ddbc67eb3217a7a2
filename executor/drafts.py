"""Plugins that are run once without being deployed: a builder's tries."""

import msgspec

from schemas.digest import revision_digest
from schemas.errors import InvalidInput, TooLarge
from schemas.limits import MAX_SOURCE_BYTES, Limits, check_limits
from schemas.messages import DraftRun, PluginRevision
from schemas.names import DRAFT


def read_draft(body: bytes, ceilings: Limits) -> tuple[PluginRevision, bytes]:
    """What to run, and its input, out of a `DraftRun`, which may be anything.

    Raises:
        InvalidInput, TooLarge: what is wrong with it.
    """
    try:
        draft = msgspec.json.decode(body, type=DraftRun)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise InvalidInput(f'a draft needs {{"source": …, "input": base64, "limits": {{…}}}}: {error}') from None
    size = len(draft.source.encode("utf-8", "replace"))
    if size > MAX_SOURCE_BYTES:
        raise TooLarge("the source", size_bytes=size, limit_bytes=MAX_SOURCE_BYTES)
    check_limits(draft.limits, ceilings)
    digest = revision_digest(draft.source, draft.limits)
    return PluginRevision(DRAFT, digest, draft.source, draft.limits), draft.input
