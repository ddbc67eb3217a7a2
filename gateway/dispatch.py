"""A call of a plugin over NATS, as any NATS client could make it: the hot path of the gateway."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import dataclass

from nats.aio.msg import Msg

from gateway.inbox import HEARTBEAT_MS, Inbox
from gateway.waiters import ManyReplies, OneReply, Reply, event_of, nobody_there, read_end
from schemas import headers, subjects
from schemas.errors import DeadlineExceeded
from schemas.inbox import PAUSES_SECONDS, is_nobody

GRACE_SECONDS = 2.0
"""How much longer than the call may take its answer is waited for: the executor's own verdict says more."""

NO_EXECUTOR = "no executor is running"


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
    record: bool = False
    """Whether a tape of it shall be kept."""

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
        sent = {headers.EXECUTION_ID: self.execution_id, headers.HEARTBEAT_MS: HEARTBEAT_MS}
        if self.timeout_ms is not None:
            sent[headers.TIMEOUT_MS] = str(max(1, min(self.timeout_ms, self.ceiling_ms)))
        if self.revision is not None:
            sent[headers.REVISION] = self.revision
        if self.caller is not None:
            sent[headers.CALLER] = self.caller
        if self.traceparent is not None:
            sent[headers.TRACEPARENT] = self.traceparent
        if self.record:
            sent[headers.RECORD] = "1"
        if stream:
            sent[headers.STREAM] = "1"
        return sent


@dataclass(frozen=True, slots=True)
class StreamEvent:
    """One message of a stream: ``output``, ``log`` or ``heartbeat``, or its end."""

    kind: str
    data: bytes
    end: Reply | None = None


class Dispatcher:
    """Calls plugins. A call whose end is not waited for, for whatever reason, is cancelled where it runs."""

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
        for pause_seconds in (*PAUSES_SECONDS, None):
            waiter = OneReply(order.patience_seconds(), heartbeats=True)
            inbox = await self._inbox.send(waiter, subject, order.body, sent)
            try:
                msg = await waiter.future
            except BaseException as error:
                await self._inbox.give_up(inbox)
                if isinstance(error, DeadlineExceeded):
                    raise _too_late(order) from None
                raise
            finally:
                self._inbox.forget(inbox)
            if not is_nobody(msg):
                return read_end(msg)
            if pause_seconds is not None:
                await asyncio.sleep(pause_seconds)
        raise nobody_there(NO_EXECUTOR)

    @contextlib.asynccontextmanager
    async def stream(self, order: Order) -> AsyncIterator[AsyncIterator[StreamEvent]]:
        """Run a plugin and read its output as it comes; the last event has an ``end``.

        Raises:
            WasmForgeError: as `call`; while reading, too.
        """
        subject, sent = order.subject(), order.headers(stream=True)
        for pause_seconds in (*PAUSES_SECONDS, None):
            waiter = ManyReplies(order.patience_seconds())
            inbox = await self._inbox.send(waiter, subject, order.body, sent)
            try:
                first = await _next(waiter, order)
                if not is_nobody(first):
                    events = _events(first, waiter, order)
                    try:
                        yield events
                    finally:
                        await events.aclose()
                    return
            finally:
                if not waiter.ended:
                    await self._inbox.give_up(inbox)
                self._inbox.forget(inbox)
            if pause_seconds is not None:
                await asyncio.sleep(pause_seconds)
        raise nobody_there(NO_EXECUTOR)


async def _next(waiter: ManyReplies, order: Order) -> Msg:
    try:
        return await waiter.next()
    except DeadlineExceeded:
        raise _too_late(order) from None


async def _events(first: Msg, waiter: ManyReplies, order: Order) -> AsyncGenerator[StreamEvent, None]:
    msg = first
    while True:
        if (kind := event_of(msg)) is not None:
            yield StreamEvent(kind, msg.data)
            msg = await _next(waiter, order)
            continue
        end = read_end(msg)
        # A responder that knows nothing of streams answers all at once.
        yield StreamEvent(headers.EVENT_OUTPUT, b"" if end.error else end.body, end)
        return


def _too_late(order: Order) -> DeadlineExceeded:
    allowed_ms = min(order.timeout_ms or order.ceiling_ms, order.ceiling_ms)
    return DeadlineExceeded(f"{order.plugin} gave no answer within {allowed_ms / 1000:g} seconds")
