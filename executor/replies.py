"""What a caller hears: one reply or a stream of them, heartbeats while it takes long; and an event for the record."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import msgspec
from nats.aio.client import Client

from executor.calls import Call
from executor.cancelling import Cancellation, UnreadHeartbeats
from executor.execution import Outcome
from schemas import headers, subjects
from schemas.errors import OutputTooLarge, WasmForgeError
from schemas.inbox import Inbox, Receiver
from schemas.messages import ExecutionFinished

log = logging.getLogger(__name__)

_HEADER_ROOM_BYTES = 4096
_MAX_EVENT_LOG_BYTES = 64 * 1024
_MAX_EVENT_ERROR_CHARACTERS = 4000


class Replies:
    """Publishes the replies of one executor."""

    def __init__(self, nc: Client, executor_id: str, inbox: Inbox[Receiver]) -> None:
        self._nc = nc
        self._executor_id = executor_id
        self._inbox = inbox

    @contextlib.asynccontextmanager
    async def heartbeats(self, call: Call, cancellation: Cancellation) -> AsyncIterator[None]:
        """Tell the caller now and then that its call is still here, if it asked for that; if it is gone, so is that."""
        if call.heartbeat_seconds is None or not call.reply_to:
            yield
            return
        loop = asyncio.get_running_loop()
        interval, due = call.heartbeat_seconds, {headers.EVENT: headers.EVENT_HEARTBEAT}
        publishing: set[asyncio.Task[None]] = set()
        unread = UnreadHeartbeats(cancellation)
        unread_inbox = self._inbox.open(unread)
        timers: list[asyncio.TimerHandle] = []

        def beat() -> None:
            timers[:] = [loop.call_later(interval, beat)]
            if not self._nc.is_connected:
                return
            unread.sent += 1
            task = asyncio.create_task(self._nc.publish(call.reply_to, b"", unread_inbox, due))
            publishing.add(task)
            task.add_done_callback(publishing.discard)

        timers.append(loop.call_later(interval, beat))
        try:
            yield
        finally:
            timers[0].cancel()
            self._inbox.forget(unread_inbox)
            for task in publishing:
                task.cancel()

    async def piece(self, call: Call, event: str, data: bytes, unread: str) -> None:
        """One piece of a stream; NATS says on ``unread`` if nobody got it."""
        await self._nc.publish(call.reply_to, data, unread, {headers.EVENT: event})

    async def finish(self, call: Call, outcome: Outcome, phases_us: dict[str, int], revision: str | None) -> None:
        """The last reply of a call."""
        reply_headers = {
            headers.EXECUTION_ID: call.execution_id,
            headers.EXECUTOR: self._executor_id,
            headers.FINAL: "1",
        }
        if revision is not None:
            reply_headers[headers.REVISION] = revision
        if call.tape is not None:
            reply_headers[headers.TAPE] = call.tape
        headers.put_ai_use(reply_headers, outcome.ai_calls, outcome.ai.prompt_tokens, outcome.ai.output_tokens)
        headers.put_phases(reply_headers, phases_us)
        room = self._nc.max_payload - _HEADER_ROOM_BYTES
        body = b"" if call.stream else outcome.output
        if len(body) > room and outcome.error is None:
            outcome.error = OutputTooLarge(f"the output is {len(body):,} bytes, NATS here carries at most {room:,}")
        if outcome.error is not None:
            headers.put_error(reply_headers, outcome.error)
            body = outcome.error.message.encode("utf-8", "replace")[:room]
        if call.reply_to:
            await self._nc.publish(call.reply_to, body, headers=reply_headers)

    async def record(self, call: Call, outcome: Outcome, phases_us: dict[str, int], revision: str | None) -> None:
        """The event of a finished execution."""
        event = ExecutionFinished(
            execution_id=call.execution_id,
            plugin=call.plugin,
            executor=self._executor_id,
            success=outcome.error is None,
            time=datetime.now(UTC).isoformat(timespec="milliseconds"),
            revision=revision,
            caller=call.caller,
            error_type=outcome.error.error_type if outcome.error else None,
            error=outcome.error.message[:_MAX_EVENT_ERROR_CHARACTERS] if outcome.error else None,
            phases_us=phases_us,
            cpu_us=outcome.cpu_us,
            peak_memory_bytes=outcome.peak_memory_bytes,
            input_bytes=len(call.data),
            output_bytes=len(outcome.output),
            ai_calls=outcome.ai_calls,
            ai=outcome.ai,
            log=outcome.log[:_MAX_EVENT_LOG_BYTES].decode("utf-8", "replace"),
        )
        await self._nc.publish(subjects.execution_event(call.plugin), msgspec.json.encode(event))

    async def refuse(self, call: Call, error: WasmForgeError) -> None:
        """The only reply of a call that did not run."""
        await self.finish(call, Outcome(error=error), {}, None)
