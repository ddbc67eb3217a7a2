"""The executor on NATS: takes calls, runs them, replies; checks source; leaves in good order."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg

from executor.admission import TAKEN, Admission, Place
from executor.ai import AICalls
from executor.asking import Broker
from executor.backend import BaseFailed
from executor.calls import Call, read_call
from executor.cancelling import Cancellation, Cancelling, UnreadPieces
from executor.check import Checks
from executor.drafts import read_draft
from executor.execution import Execution, Outcome
from executor.plugins import Plugins
from executor.pool import Pool
from executor.prepared import prepared
from executor.replies import Replies
from executor.sandboxes import Sandbox
from executor.settings import Settings
from executor.stream import Stream
from executor.tape import RecordedCalls
from executor.tapes import Tapes
from schemas import headers, subjects
from schemas.errors import (
    Busy,
    Cancelled,
    DeadlineExceeded,
    InvalidInput,
    RuntimeFault,
    TooLarge,
    Unavailable,
    WasmForgeError,
)
from schemas.inbox import Inbox, Receiver
from schemas.limits import check_source_size
from schemas.messages import CheckRequest, PluginRevision
from schemas.micro import Service

log = logging.getLogger(__name__)


class ExecutorService:
    """All endpoints of one executor."""

    def __init__(self, nc: Client, pool: Pool, plugins: Plugins, settings: Settings) -> None:
        self._nc = nc
        self._pool = pool
        self._plugins = plugins
        self._checks = Checks(pool)
        self._ceilings = settings.ceilings
        self._admission = Admission(nc, settings.slots, settings.queue, settings.outside)
        self._service = Service(
            nc,
            "wasmforge-executor",
            "Runs plugins in WebAssembly sandboxes",
            _metadata(pool, settings),
        )
        self._inbox: Inbox[Receiver] = Inbox()
        self._broker = Broker(nc, self._inbox)
        self._tapes = Tapes(nc)
        self._cancelling = Cancelling()
        self._replies = Replies(nc, self._service.id, self._inbox)
        self._calls = self._service.add("call", subjects.FUNCTIONS, subjects.EXECUTORS, self._on_call)
        self._spare = self._service.add("spare", subjects.SPARE, subjects.EXECUTORS, self._on_spare)
        self._service.add("try", subjects.TRY, subjects.EXECUTORS, self._on_try)
        self._service.add("check", subjects.CHECK, subjects.EXECUTORS, self._on_check)

    async def run(self, stop: asyncio.Event, grace_seconds: float) -> None:
        """Serve until ``stop`` is set, then finish what runs, within ``grace_seconds``."""
        await self._inbox.attach(self._nc)
        await self._cancelling.start(self._nc)
        await self._service.start()
        log.info("executor %s takes calls", self._service.id)
        keeper = asyncio.create_task(self._keep_spare())
        try:
            await stop.wait()
        finally:
            keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await keeper
            log.info("executor %s takes nothing new and finishes what it has", self._service.id)
            if not await self._service.drain(grace_seconds):
                log.warning("some calls did not finish within %.0f s and were ended", grace_seconds)

    def lost(self) -> None:
        """The connection to NATS broke; the library makes a new one."""
        self._broker.lost()

    async def _on_call(self, msg: Msg) -> None:
        await self._take(msg, msg.reply, passed_on=False)

    async def _on_spare(self, msg: Msg) -> bytes | None:
        reply_to = (msg.headers or {}).get(headers.REPLY_TO, "")
        if reply_to and not subjects.is_inbox(reply_to):
            raise InvalidInput(f"{headers.REPLY_TO} must be an inbox")
        await self._take(msg, reply_to, passed_on=True)
        return None

    async def _on_try(self, msg: Msg) -> None:
        call = await self._read(msg, msg.reply)
        if call is None:
            return
        async with self._answered(call):
            plugin, call.data = read_draft(msg.data, self._ceilings)
            call.plugin = call.forward[headers.PLUGIN] = plugin.name
            place = self._admission.enter() or self._admission.wait()
            with place, self._cancelling.call(call.reply_to) as cancellation:
                await self._run(call, place, cancellation, plugin)

    async def _take(self, msg: Msg, reply_to: str, *, passed_on: bool) -> None:
        call = await self._read(msg, reply_to)
        if call is None:
            return
        async with self._answered(call):
            place = self._admission.enter()
            if passed_on:
                if msg.reply:
                    await self._nc.publish(msg.reply, TAKEN if place is not None else b"full")
                if place is None:
                    return
            if place is None:
                # Word of its end is for whoever takes it.
                if await self._admission.pass_on(call.plugin, msg, reply_to):
                    return
                place = self._admission.wait()
            with place, self._cancelling.call(reply_to) as cancellation:
                await self._run(call, place, cancellation)

    @contextlib.asynccontextmanager
    async def _answered(self, call: Call) -> AsyncIterator[None]:
        """An error that leaves the ``async with`` is the call's answer."""
        try:
            yield
        except WasmForgeError as error:
            await self._refuse(call, error)
        except asyncio.CancelledError:
            stopped = RuntimeFault("the executor was stopped before the call ended; what the plugin did is lost")
            await self._refuse(call, stopped)
            raise

    async def _read(self, msg: Msg, reply_to: str) -> Call | None:
        try:
            return read_call(msg, reply_to)
        except WasmForgeError as error:
            await self._refuse(Call(plugin="", data=b"", reply_to=reply_to, execution_id="", arrived_at=0.0), error)
            return None

    async def _refuse(self, call: Call, error: WasmForgeError) -> None:
        self._calls.errors += 1
        self._calls.last_error = error.message[:500]
        await self._replies.refuse(call, error)
        if isinstance(error, Cancelled):
            await self._replies.record(call, Outcome(error=error), {}, None)

    async def _run(
        self, call: Call, place: Place, cancellation: Cancellation, draft: PluginRevision | None = None
    ) -> None:
        """Run a call that has its place, and reply; of a draft, which is nowhere else, if that is given.

        Raises:
            WasmForgeError: it could not be run; nothing has been replied.
        """
        async with self._replies.heartbeats(call, cancellation):
            plugin = draft or await self._plugins.get(call.plugin, call.revision)
            fetched_ns = time.perf_counter_ns()
            if len(call.data) > plugin.limits.input_bytes:
                raise TooLarge("the input", size_bytes=len(call.data), limit_bytes=plugin.limits.input_bytes)
            await self._take_slot(call, place)
            slot_ns = time.perf_counter_ns()
            async with (
                self._stream(call, cancellation) as stream,
                self._sandbox(plugin) as sandbox,
                self._ai_calls(call, plugin, sandbox) as ai,
            ):
                leased_ns = time.perf_counter_ns()
                deadline, late = _deadline(call, plugin, asyncio.get_running_loop().time())
                execution = Execution(sandbox, plugin, ai, place, stream.watcher if stream is not None else None)
                with cancellation.running(execution.end):
                    outcome = await execution.run(call.data, deadline, late)
                ended_ns = time.perf_counter_ns()
        phases_us = {
            "queue": (slot_ns - fetched_ns) // 1000,
            "prepare": (fetched_ns - call.arrived_ns + leased_ns - slot_ns) // 1000,
            "restore": outcome.restore_us,
            "run": outcome.run_us or (ended_ns - leased_ns) // 1000,
            "ai_wait": outcome.ai_wait_us,
            "reply": (time.perf_counter_ns() - ended_ns) // 1000,
        }
        if outcome.error is not None:
            self._calls.errors += 1
            self._calls.last_error = str(outcome.error.error_type)
        if isinstance(ai, RecordedCalls):
            # A store that hangs takes seconds to be given up: others may compute meanwhile.
            place.give_slot()
            call.tape = await self._tapes.keep(call.execution_id, ai, plugin, call.data, outcome)
        await self._replies.finish(call, outcome, phases_us, plugin.digest)
        # The reply leaves before the record of it is made.
        await asyncio.sleep(0)
        await self._replies.record(call, outcome, phases_us, plugin.digest)

    def _ai_calls(self, call: Call, plugin: PluginRevision, sandbox: Sandbox) -> AICalls:
        if not call.record:
            return AICalls(self._broker, plugin.limits.ai_calls, call.forward)
        if sandbox.base.birth is None:
            raise InvalidInput("a call can be recorded only by an executor with a sandbox")
        return RecordedCalls(self._broker, plugin.limits.ai_calls, call.forward, sandbox.base.birth)

    async def _take_slot(self, call: Call, place: Place) -> None:
        """Wait for the right to compute, no longer than the caller waits."""
        until = None if call.timeout_ms is None else call.arrived_at + call.timeout_ms / 1000
        try:
            async with asyncio.timeout_at(until):
                await place.take_slot()
        except TimeoutError:
            raise Busy(f"no sandbox was free within the {call.timeout_ms:,} ms of this call; try again") from None

    @contextlib.asynccontextmanager
    async def _sandbox(self, plugin: PluginRevision) -> AsyncIterator[Sandbox]:
        try:
            async with prepared(self._pool, plugin) as sandbox:
                yield sandbox
        except BaseFailed as error:
            log.error("%s", error)
            raise RuntimeFault("the sandbox can't be started on this executor, its log says why") from None

    @contextlib.asynccontextmanager
    async def _stream(self, call: Call, cancellation: Cancellation) -> AsyncIterator[Stream | None]:
        if not call.stream or not call.reply_to:
            yield None
            return
        unread = self._inbox.open(UnreadPieces(cancellation))
        try:
            async with Stream(self._replies, call, unread, cancellation) as stream:
                yield stream
        finally:
            self._inbox.forget(unread)

    async def _on_check(self, msg: Msg) -> bytes:
        try:
            request = msgspec.json.decode(msg.data, type=CheckRequest)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise InvalidInput(f'a check needs {{"source": …}}: {error}') from None
        check_source_size(request.source, "the source")
        try:
            return msgspec.json.encode(await self._checks.check(request.source, request.archive))
        except BaseFailed as error:
            log.error("%s", error)
            raise Unavailable("the sandbox can't be started on this executor, its log says why") from None

    async def _keep_spare(self) -> None:
        """Listen for other executors' calls while a slot is free, and only then."""
        while True:
            await self._admission.changed.wait()
            self._admission.changed.clear()
            if self._admission.free_slots:
                await self._service.listen(self._spare)
            else:
                await self._service.pause(self._spare)


def _metadata(pool: Pool, settings: Settings) -> dict[str, str]:
    """What an operator sees of this executor in `nats micro info`, and `wasmforge doctor`."""
    confinement = pool.confinement
    return {
        "sandbox": settings.sandbox,
        "engine": pool.engine.name,
        "slots": str(settings.slots),
        "confinement": settings.confinement,
        "confinement_layers": " ".join(confinement.layers),
        "confinement_missing": msgspec.json.encode(confinement.missing).decode(),
    }


def _deadline(call: Call, plugin: PluginRevision, now: float) -> tuple[float, DeadlineExceeded]:
    """When this execution ends at the latest (loop time), and what to say if it does."""
    own_ms = plugin.limits.timeout_ms
    if call.timeout_ms is not None and call.arrived_at + call.timeout_ms / 1000 < now + own_ms / 1000:
        text = f"the call did not end within the {call.timeout_ms:,} ms that its caller gave it; the plugin was ended"
        return call.arrived_at + call.timeout_ms / 1000, DeadlineExceeded(text)
    text = f"the plugin did not end within its {own_ms:,} ms and was ended"
    return now + own_ms / 1000, DeadlineExceeded(text)
