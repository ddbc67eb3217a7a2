"""Plugins that are run once without being deployed: a builder's tries."""

import msgspec

from schemas.digest import revision_digest
from schemas.errors import InvalidInput
from schemas.limits import Limits, check_limits, check_source_size
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
    check_source_size(draft.source, "the source")
    check_limits(draft.limits, ceilings)
    digest = revision_digest(draft.source, draft.limits)
    return PluginRevision(DRAFT, digest, draft.source, draft.limits), draft.input
