"""Plugins by name: asked of a gateway, kept in memory by content digest, forgotten when told of a change."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import ConnectionClosedError, NoRespondersError
from nats.errors import TimeoutError as NatsTimeoutError

from executor.content import files_of
from schemas import bus, headers, subjects
from schemas.digest import revision_digest
from schemas.errors import NotFound, RuntimeFault, Unavailable, WasmForgeError
from schemas.messages import PluginQuery, PluginRevision

MAX_KEPT_BYTES = 64 * 1024 * 1024
FRESH_SECONDS = 30.0
"""A name is asked for again after this, in case word of a change was lost."""
_ASK_SECONDS = 3.0


@dataclass
class _Current:
    digest: str
    asked_at: float


class Plugins:
    """What this executor knows of plugins."""

    def __init__(self, nc: Client) -> None:
        self._nc = nc
        self._current: dict[str, _Current] = {}
        self._revisions: OrderedDict[tuple[str, str], PluginRevision] = OrderedDict()
        self._kept_bytes = 0
        self._asking: dict[tuple[str, str | None], asyncio.Task[PluginRevision]] = {}
        self._changes = 0

    async def start(self) -> None:
        """Listen for changes."""
        await self._nc.subscribe(subjects.PLUGIN_EVENTS, cb=self._on_change)

    def forget_names(self) -> None:
        """Ask for every name anew; to be called when the connection was lost, since changes may have been missed."""
        self._changes += 1
        self._current.clear()

    async def get(self, name: str, digest: str | None) -> PluginRevision:
        """The current revision of a plugin, or the one with ``digest``.

        Raises:
            NotFound: there is none.
            Unavailable: it is not known here and no gateway answers.
        """
        now = asyncio.get_running_loop().time()
        current = self._current.get(name)
        wanted = digest or (current.digest if current is not None else None)
        known = self._revisions.get((name, wanted)) if wanted is not None else None
        if known is not None and (digest is not None or (current and now - current.asked_at < FRESH_SECONDS)):
            self._revisions.move_to_end((name, known.digest))
            return known
        try:
            return await self._ask_once(name, digest)
        except Unavailable:
            # A gateway that is away does not stop what is known; it was current a moment ago.
            if known is not None:
                return known
            raise

    async def _ask_once(self, name: str, digest: str | None) -> PluginRevision:
        key = (name, digest)
        task = self._asking.get(key)
        if task is None:
            task = self._asking[key] = asyncio.create_task(self._ask(name, digest))
            task.add_done_callback(lambda _: self._asking.pop(key, None))
        return await asyncio.shield(task)

    async def _ask(self, name: str, digest: str | None) -> PluginRevision:
        changes = self._changes
        body = msgspec.json.encode(PluginQuery(revision=digest))
        try:
            reply = await bus.ask(self._nc, subjects.plugin_source(name), body, timeout_seconds=_ASK_SECONDS)
        except NoRespondersError:
            raise Unavailable("no gateway answers for plugins: start one, or see its log") from None
        except (NatsTimeoutError, TimeoutError, ConnectionClosedError) as error:
            raise Unavailable(f"no gateway answered for plugin {name!r} ({type(error).__name__})") from None
        refusal = headers.get_error(reply.headers, reply.data)
        if refusal is not None:
            if isinstance(refusal, NotFound):
                self._current.pop(name, None)
            raise refusal
        revision = await self._checked(name, digest, reply.data)
        self._keep(revision)
        # Not if a change was told of in the meantime: the answer may be from before it.
        if digest is None and changes == self._changes:
            self._current[name] = _Current(revision.digest, asyncio.get_running_loop().time())
        return revision

    @staticmethod
    async def _checked(name: str, digest: str | None, data: bytes) -> PluginRevision:
        try:
            revision = msgspec.json.decode(data, type=PluginRevision)
        except (msgspec.MsgspecError, ValueError) as error:
            raise RuntimeFault(f"the gateway's answer for plugin {name!r} can't be read: {error}") from None
        files = None
        if revision.archive is not None:
            # Megabytes may come out of it; other calls must not wait for that.
            files = await asyncio.to_thread(files_of, revision.source, revision.archive)
        true_digest = revision_digest(revision.source, revision.limits, files)
        if revision.name != name or revision.digest != true_digest or digest not in (None, true_digest):
            raise RuntimeFault(f"the gateway answered for plugin {name!r} with another one")
        return revision

    def _keep(self, revision: PluginRevision) -> None:
        key = (revision.name, revision.digest)
        if key not in self._revisions:
            self._revisions[key] = revision
            self._kept_bytes += _size(revision)
        while self._kept_bytes > MAX_KEPT_BYTES and len(self._revisions) > 1:
            _, dropped = self._revisions.popitem(last=False)
            self._kept_bytes -= _size(dropped)

    async def _on_change(self, msg: Msg) -> None:
        self._changes += 1
        try:
            name = subjects.plugin_of(msg.subject)
        except WasmForgeError:
            return
        self._current.pop(name, None)
        for key in [key for key in self._revisions if key[0] == name]:
            self._kept_bytes -= _size(self._revisions.pop(key))


def _size(revision: PluginRevision) -> int:
    return len(revision.source) + len(revision.archive or b"")
