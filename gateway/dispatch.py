"""A call of a plugin over NATS, as any NATS client could make it: the hot path of the gateway."""

import asyncio
import contextlib
import math
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import dataclass

import nats.errors
from nats.aio.msg import Msg

from gateway.inbox import Inbox
from schemas import headers, subjects
from schemas.errors import DeadlineExceeded, RuntimeFault, Unavailable, WasmForgeError

GRACE_SECONDS = 2.0
"""How much longer than the call may take its answer is waited for: the executor's own verdict says more."""

MAX_UNREAD_BYTES = 16 * 1024 * 1024
"""What a stream's reader may be behind."""

NO_EXECUTOR = "no executor is running"

_PAUSES_SECONDS = (0.02, 0.1)
"""When a request that nobody got is sent again. Of a queue group that a member is just leaving NATS may say "no
responders" although others are there (measured: 5 % of requests in that moment); as nobody got it, it is safe."""

_HEARTBEAT_MS = "1000"
_NO_RESPONDERS = "503"
_NOT_AN_ANSWER = (headers.EVENT_HEARTBEAT, headers.EVENT_OUTPUT, headers.EVENT_LOG)


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be run, for whom and how long it may take."""

    plugin: str
    body: bytes
    execution_id: str
    timeout_ms: int | None = None
    """What is left of the caller's patience; None means the plugin's own limit."""
    ceiling_ms: int = 600_000
    """No plugin may run longer than this here."""
    revision: str | None = None
    caller: str | None = None
    traceparent: str | None = None

    def subject(self) -> str:
        """Where it is sent.

        Raises:
            InvalidInput: no plugin can have this name.
        """
        return subjects.function(self.plugin)

    def patience_seconds(self) -> float:
        """How long an answer is waited for."""
        return min(self.timeout_ms or self.ceiling_ms, self.ceiling_ms) / 1000 + GRACE_SECONDS

    def headers(self, *, stream: bool) -> dict[str, str]:
        """Headers of the request."""
        sent = {headers.EXECUTION_ID: self.execution_id, headers.HEARTBEAT_MS: _HEARTBEAT_MS}
        if self.timeout_ms is not None:
            sent[headers.TIMEOUT_MS] = str(max(1, min(self.timeout_ms, self.ceiling_ms)))
        if self.revision is not None:
            sent[headers.REVISION] = self.revision
        if self.caller is not None:
            sent[headers.CALLER] = self.caller
        if self.traceparent is not None:
            sent[headers.TRACEPARENT] = self.traceparent
        if stream:
            sent[headers.STREAM] = "1"
        return sent


@dataclass(frozen=True, slots=True)
class Reply:
    """The end of a call, as a NATS message brought it."""

    body: bytes
    headers: Mapping[str, str]
    error: WasmForgeError | None
    """Why the call failed; None if it did not."""


class _PlainCall:
    """Waits for exactly one reply."""

    __slots__ = ("deadline", "future", "heard")

    def __init__(self, patience_seconds: float, *, heartbeats: bool) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        self.deadline = now + patience_seconds
        self.heard = now if heartbeats else math.inf
        self.future: asyncio.Future[Msg] = loop.create_future()

    def deliver(self, msg: Msg) -> None:
        if msg.headers and msg.headers.get(headers.EVENT) in _NOT_AN_ANSWER and headers.FINAL not in msg.headers:
            self.heard = self.future.get_loop().time()
        elif not self.future.done():
            self.future.set_result(msg)

    def fail(self, error: WasmForgeError) -> None:
        if not self.future.done():
            self.future.set_exception(error)


class _StreamCall:
    """Keeps the pieces of a stream in order until they are read."""

    __slots__ = ("_loop", "_unread_bytes", "_wake", "deadline", "error", "heard", "messages")

    def __init__(self, patience_seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self.heard = self._loop.time()
        self.deadline = self.heard + patience_seconds
        self.error: WasmForgeError | None = None
        self.messages: deque[Msg] = deque()
        self._unread_bytes = 0
        self._wake = asyncio.Event()

    def deliver(self, msg: Msg) -> None:
        self.heard = self._loop.time()
        if self.error is not None:
            return
        self._unread_bytes += len(msg.data) + 128
        if self._unread_bytes > MAX_UNREAD_BYTES:
            self.fail(RuntimeFault("the stream was not read fast enough and has been cut off"))
            return
        self.messages.append(msg)
        self._wake.set()

    def fail(self, error: WasmForgeError) -> None:
        if self.error is None:
            self.error = error
        self._wake.set()

    async def next(self) -> Msg:
        """The next message; raises what the call failed with once all before it is read."""
        while not self.messages:
            if self.error is not None:
                raise self.error
            self._wake.clear()
            await self._wake.wait()
        msg = self.messages.popleft()
        self._unread_bytes -= len(msg.data) + 128
        return msg


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """One message of a stream: ``output``, ``log`` or ``heartbeat``, or its end."""

    kind: str
    data: bytes
    end: Reply | None = None


class Dispatcher:
    """Calls plugins."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    async def call(self, order: Order) -> Reply:
        """Run a plugin and wait for its end.

        Returns:
            The end of the call, also if the plugin failed.

        Raises:
            WasmForgeError: it did not come to an end: `Unavailable`, `Busy`, `InvalidInput`, `TooLarge`,
                `DeadlineExceeded`, or `RuntimeFault` if the executor is gone.
        """
        subject, sent = order.subject(), order.headers(stream=False)
        for pause_seconds in (*_PAUSES_SECONDS, None):
            waiter = _PlainCall(order.patience_seconds(), heartbeats=True)
            inbox = await self._inbox.send(waiter, subject, order.body, sent)
            try:
                msg = await waiter.future
            except DeadlineExceeded:
                raise _too_late(order) from None
            finally:
                self._inbox.forget(inbox)
            if not _is_nobody(msg):
                return _read_end(msg)
            if pause_seconds is not None:
                await asyncio.sleep(pause_seconds)
        raise _nobody(NO_EXECUTOR)

    @contextlib.asynccontextmanager
    async def stream(self, order: Order) -> AsyncIterator[AsyncIterator[StreamEvent]]:
        """Run a plugin and read its output as it comes; the last event has an ``end``.

        Raises:
            WasmForgeError: as `call`; while reading, too.
        """
        subject, sent = order.subject(), order.headers(stream=True)
        for pause_seconds in (*_PAUSES_SECONDS, None):
            waiter = _StreamCall(order.patience_seconds())
            inbox = await self._inbox.send(waiter, subject, order.body, sent)
            try:
                first = await _next(waiter, order)
                if not _is_nobody(first):
                    events = _events(first, waiter, order)
                    try:
                        yield events
                    finally:
                        await events.aclose()
                    return
            finally:
                self._inbox.forget(inbox)
            if pause_seconds is not None:
                await asyncio.sleep(pause_seconds)
        raise _nobody(NO_EXECUTOR)


async def ask(inbox: Inbox, subject: str, body: bytes, *, timeout_seconds: float, nobody: str) -> Reply:
    """One request to another service of the platform, without heartbeats.

    Args:
        nobody: what `Unavailable` says if nobody listens there.

    Raises:
        Unavailable: not connected, nobody listens, or no answer in time.
        WasmForgeError: as the service answered.
    """
    for pause_seconds in (*_PAUSES_SECONDS, None):
        waiter = _PlainCall(timeout_seconds, heartbeats=False)
        reply_to = await inbox.send(waiter, subject, body)
        try:
            msg = await waiter.future
        except DeadlineExceeded:
            raise Unavailable(f"{nobody}: no answer within {timeout_seconds:g} seconds") from None
        finally:
            inbox.forget(reply_to)
        if not _is_nobody(msg):
            reply = _read_end(msg)
            if reply.error is not None:
                raise reply.error
            return reply
        if pause_seconds is not None:
            await asyncio.sleep(pause_seconds)
    raise _nobody(nobody)


async def tell(inbox: Inbox, subject: str, body: bytes, *, timeout_seconds: float) -> None:
    """Publish an event and wait until the server has it.

    Raises:
        Unavailable: it may not have arrived.
    """
    client = inbox.connection()
    try:
        async with asyncio.timeout(timeout_seconds):
            await client.publish(subject, body)
            await client.flush()
    except (nats.errors.Error, TimeoutError) as error:
        raise Unavailable("NATS went away before the change could be told to the executors") from error


async def _next(waiter: _StreamCall, order: Order) -> Msg:
    try:
        return await waiter.next()
    except DeadlineExceeded:
        raise _too_late(order) from None


async def _events(first: Msg, waiter: _StreamCall, order: Order) -> AsyncGenerator[StreamEvent, None]:
    msg = first
    while True:
        kind = (msg.headers or {}).get(headers.EVENT, "")
        if kind in _NOT_AN_ANSWER and headers.FINAL not in (msg.headers or {}):
            yield StreamEvent(kind, msg.data)
            msg = await _next(waiter, order)
            continue
        end = _read_end(msg)
        # A responder that knows nothing of streams answers all at once.
        yield StreamEvent(headers.EVENT_OUTPUT, b"" if end.error else end.body, end)
        return


def _too_late(order: Order) -> DeadlineExceeded:
    allowed_ms = min(order.timeout_ms or order.ceiling_ms, order.ceiling_ms)
    return DeadlineExceeded(f"{order.plugin} gave no answer within {allowed_ms / 1000:g} seconds")


def _is_nobody(msg: Msg) -> bool:
    return not msg.data and msg.headers is not None and msg.headers.get("Status") == _NO_RESPONDERS


def _nobody(what: str) -> Unavailable:
    return Unavailable(f"{what}, try again shortly")


def _read_end(msg: Msg) -> Reply:
    found = msg.headers or {}
    return Reply(msg.data, found, headers.get_error(found, msg.data))
