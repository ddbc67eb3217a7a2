"""``POST /api/plugins/upload``: from a form to a checked revision that every executor knows of."""

import asyncio
import re
from datetime import UTC, datetime
from typing import get_args

import msgspec

from gateway.archives import read_archive
from gateway.asking import tell
from gateway.forms import Form, MissingField, utf8
from gateway.inbox import Inbox
from gateway.modelcalls import model_calls, original_count
from gateway.plugins import Draft, PluginStore
from gateway.revisions import Revisions
from gateway.verdicts import ask_verdict
from schemas import subjects
from schemas.digest import revision_digest
from schemas.errors import InvalidInput
from schemas.http import InputType, Uploaded
from schemas.limits import (
    MAX_DESCRIPTION_CHARACTERS,
    MAX_HINT_CHARACTERS,
    MAX_SOURCE_BYTES,
    Limits,
    parse_limits,
)
from schemas.messages import CheckReply, CheckRequest, PluginChanged
from schemas.names import check_plugin_name

MAX_UPLOAD_BYTES = MAX_SOURCE_BYTES + 256 * 1024
"""The whole form: the source, and room for everything around it."""

ARCHIVE = ".zip"
_CHECK_SECONDS = 20.0
_CHECK_ARCHIVE_SECONDS = 40.0
_UNPACKED_AT_ONCE = 2
_TELL_SECONDS = 2.0
_INPUT_TYPES: tuple[str, ...] = get_args(InputType)

_encode = msgspec.json.Encoder().encode


class Uploads:
    """Takes plugins in, and out again."""

    def __init__(self, inbox: Inbox, store: PluginStore, revisions: Revisions, ceilings: Limits) -> None:
        self._inbox = inbox
        self._store = store
        self._revisions = revisions
        self._ceilings = ceilings
        self._unpacking = asyncio.Semaphore(_UNPACKED_AT_ONCE)

    async def upload(self, form: Form) -> Uploaded:
        """Check, store, and tell the executors.

        Raises:
            InvalidInput: what to change in the form or the source.
            Conflict: not the revision is current that the form expects.
            Unavailable: PostgreSQL, NATS or every executor is away.
        """
        # A zip takes its time and ten times its memory to unpack: not while other requests wait, and few at once.
        async with self._unpacking:
            draft = await asyncio.to_thread(draft_from, form, self._ceilings)
        # Before the costly check, so that nothing is compiled for a store that is away.
        await self._store.ping()
        await self._check(draft)
        await self._store.put(draft, form.text("expected_revision", "").strip() if _expects(form) else None)
        await self._announce(PluginChanged(draft.name, "deployed", draft.digest, _now()))
        return Uploaded(
            status="uploaded",
            name=draft.name,
            code=draft.source,
            description=draft.description,
            input_type=draft.input_type,
            input_hint=draft.input_hint,
            calls=draft.calls,
            model_calls=draft.model_calls,
            revision=draft.digest,
            limits=draft.limits,
            files=draft.listing(),
        )

    async def roll_back(self, name: str, digest: str) -> None:
        """Let calls run an older revision again, and tell the executors.

        Raises:
            NotFound: there is no such plugin or revision.
            Unavailable: PostgreSQL or NATS is away.
        """
        self._inbox.connection()
        await self._revisions.make_current(name, digest)
        await self._announce(PluginChanged(name, "deployed", digest, _now()))

    async def delete(self, name: str) -> None:
        """Delete a plugin and tell the executors.

        Raises:
            NotFound: there is none of this name.
            Unavailable: PostgreSQL or NATS is away.
        """
        # Executors that can't be told would run it on; better not to delete it than to say so wrongly.
        self._inbox.connection()
        await self._store.delete(name)
        await self._announce(PluginChanged(name, "deleted", None, _now()))

    async def _check(self, draft: Draft) -> None:
        limit_bytes = self._inbox.payload_limit()
        request = _encode(CheckRequest(draft.source, draft.archive))
        # Executors get the source as a message too: what does not fit could be stored but never run.
        size_bytes = max(len(request), len(_encode(draft.revision())))
        if size_bytes > limit_bytes:
            raise InvalidInput(
                f"the plugin is {size_bytes:,} bytes as a message, NATS takes {limit_bytes:,}: "
                "make it smaller, or raise max_payload of the NATS server"
            )
        timeout_seconds = _CHECK_SECONDS if draft.archive is None else _CHECK_ARCHIVE_SECONDS
        found = await ask_verdict(self._inbox, request, timeout_seconds)
        if not found.ok:
            raise InvalidInput(_where(found))

    async def _announce(self, change: PluginChanged) -> None:
        await tell(self._inbox, subjects.plugin_event(change.name), _encode(change), timeout_seconds=_TELL_SECONDS)


def _expects(form: Form) -> bool:
    """Whether the form says which revision it replaces; an empty field says: none."""
    return "expected_revision" in form.fields


def draft_from(form: Form, ceilings: Limits) -> Draft:
    """A checked upload, but for whether it compiles.

    Raises:
        MissingField, InvalidInput: what to change.
    """
    if "file" not in form.files:
        if "file" in form.fields:
            raise MissingField("the form field file must be a file: give it a file name that ends in .py or .zip")
        raise MissingField("the form field file is missing: send the plugin's source, or a zip, as a file")
    file_name, content = form.files["file"]
    name = plugin_name(file_name, form.text("name", "").strip())
    read = read_archive(content) if file_name.lower().endswith(ARCHIVE) else None
    source = _source(content) if read is None else read.source
    input_type = form.text("input_type", "text")
    if input_type not in _INPUT_TYPES:
        raise InvalidInput(f"input_type is {input_type[:80]!r}: use one of {', '.join(_INPUT_TYPES)}")
    limits = parse_limits(form.text("limits", ""), ceilings)
    modules = [source] if read is None else read.modules()
    return Draft(
        name=name,
        source=source,
        description=_bounded(form.text("description", ""), "description", MAX_DESCRIPTION_CHARACTERS),
        input_type=msgspec.convert(input_type, InputType),
        input_hint=_bounded(form.text("input_hint", ""), "input_hint", MAX_HINT_CHARACTERS),
        limits=limits,
        digest=revision_digest(source, limits, None if read is None else read.files),
        calls=original_count(modules),
        model_calls=model_calls(modules),
        archive=None if read is None else read.archive,
    )


def _source(content: bytes) -> str:
    if len(content) > MAX_SOURCE_BYTES:
        raise InvalidInput(f"the source is {len(content):,} bytes, the limit is {MAX_SOURCE_BYTES:,} bytes")
    source = utf8(content, "the source").removeprefix("\ufeff")
    if not source.strip():
        raise InvalidInput("the source is empty")
    return source


def plugin_name(file_name: str, given: str = "") -> str:
    """What an uploaded file is called: ``given``, or its own name without folder and ``.py`` or ``.zip``.

    Raises:
        InvalidInput: it is neither a ``.py`` file nor a ``.zip``, or the name is not a plugin's.
    """
    # Browsers of Windows may send a whole path.
    base = re.split(r"[/\\]", file_name)[-1]
    if base.lower().endswith(ARCHIVE):
        return check_plugin_name(given or base[: -len(ARCHIVE)])
    if not base.endswith(".py"):
        raise InvalidInput(
            f"the file is called {base[:80]!r}: only Python files can be plugins, name it *.py (or *.zip)"
        )
    return check_plugin_name(given or base.removesuffix(".py"))


def _bounded(text: str, name: str, limit: int) -> str:
    if len(text) > limit:
        raise InvalidInput(f"{name} has {len(text):,} characters, the limit is {limit:,}")
    return text


def _where(verdict: CheckReply) -> str:
    message = verdict.message or "it does not compile"
    if verdict.line is None:
        return message if verdict.file is None else f"{verdict.file}: {message}"
    place = f"line {verdict.line}" if verdict.file is None else f"{verdict.file}, line {verdict.line}"
    if verdict.column is not None:
        place += f", column {verdict.column}"
    return f"{place}: {message}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
