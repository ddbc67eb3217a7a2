"""What a builder asks while a plugin is written: run this source once, and say what is wrong with it."""

import secrets
import time
from dataclasses import dataclass

import msgspec
from starlette.types import Receive, Scope, Send

from gateway.bodies import Budget, read_body
from gateway.dispatch import Dispatcher, Order
from gateway.inbox import Inbox
from gateway.leaving import WhileConnected
from gateway.replies import JSONReply
from gateway.requests import accepts_stream, read_json
from gateway.streams import stream_reply, wants_bytes
from gateway.verdicts import ask_verdict
from schemas import headers, subjects
from schemas.errors import InvalidInput, TooLarge, WasmForgeError
from schemas.http import Checked, TryRequest, TryResult
from schemas.limits import MAX_SOURCE_BYTES, Limits, check_source_size, parse_limits
from schemas.messages import CheckRequest, DraftRun, SourceProblem

_CHECK_SECONDS = 12.0
_JSON_ROOM = 6
"""JSON may write one byte of text as six."""

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class DraftOrder(Order):
    """A call whose plugin is in its body."""

    def subject(self) -> str:
        """Where it is sent."""
        return subjects.TRY


class TryEndpoint:
    """The ASGI application behind ``/api/plugins/try``."""

    def __init__(self, inbox: Inbox, budget: Budget, ceilings: Limits) -> None:
        self._inbox = inbox
        self._dispatcher = Dispatcher(inbox)
        self._budget = budget
        self._ceilings = ceilings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._budget.share() as share:
            room = _JSON_ROOM * (MAX_SOURCE_BYTES + self._ceilings.input_bytes)
            body = await read_body(scope, receive, share, room, "The draft")
            order = self._order(read_json(body, TryRequest))
            if accepts_stream(scope):
                accept = dict(scope["headers"]).get(b"accept", b"")
                await stream_reply(self._dispatcher, order, receive, send, as_bytes=wants_bytes(accept))
                return
            async with WhileConnected(receive):
                result = await self._run(order)
        await JSONReply(result)(scope, receive, send)

    def _order(self, wanted: TryRequest) -> DraftOrder:
        if wanted.input is not None and wanted.input_base64 is not None:
            raise InvalidInput("give input or input_base64, not both")
        data = wanted.input_base64 if wanted.input_base64 is not None else (wanted.input or "").encode()
        limits = parse_limits(_encode(wanted.limits), self._ceilings)
        check_source_size(wanted.source, "The source")
        if len(data) > limits.input_bytes:
            raise TooLarge("The input", size_bytes=len(data), limit_bytes=limits.input_bytes)
        return DraftOrder(
            plugin="the draft",
            body=_encode(DraftRun(wanted.source, data, limits)),
            execution_id=secrets.token_hex(16),
            ceiling_ms=self._ceilings.timeout_ms,
        )

    async def _run(self, order: DraftOrder) -> TryResult:
        output, log = bytearray(), bytearray()
        started = time.perf_counter()
        error: WasmForgeError | None = None
        phases: dict[str, int] = {}
        # Streamed, because only a stream brings the log.
        async with self._dispatcher.stream(order) as events:
            async for event in events:
                if event.kind == headers.EVENT_OUTPUT:
                    output += event.data
                elif event.kind == headers.EVENT_LOG:
                    log += event.data
                if event.end is not None:
                    error, phases = event.end.error, headers.get_phases(event.end.headers)
        phases["total"] = round((time.perf_counter() - started) * 1e6)
        return TryResult(
            success=error is None,
            output=output.decode("utf-8", "replace"),
            error=None if error is None else error.message,
            error_type=None if error is None else str(error.error_type),
            execution_id=order.execution_id,
            phases_us=phases,
            log=log.decode("utf-8", "replace"),
        )


async def check(inbox: Inbox, source: str) -> Checked:
    """What the sandbox's compiler says of ``source``.

    Raises:
        TooLarge: it is longer than a plugin's source may be.
        Unavailable: no executor answers.
    """
    check_source_size(source, "The source")
    found = await ask_verdict(inbox, _encode(CheckRequest(source)), _CHECK_SECONDS)
    problems = list(found.problems)
    if not found.ok and not problems:
        problems.append(SourceProblem(found.message or "it does not compile", found.line, found.column))
    return Checked(found.ok, problems)
