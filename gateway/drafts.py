"""What a builder asks while a plugin is written: run this source once, and say what is wrong with it."""

import secrets
import time
from dataclasses import dataclass

import msgspec
from starlette.types import Receive, Scope, Send

from gateway.asking import ask
from gateway.bodies import Budget, read_body
from gateway.dispatch import Dispatcher, Order
from gateway.inbox import Inbox
from gateway.leaving import WhileConnected
from gateway.replies import JSONReply
from gateway.requests import accepts_stream, read_json
from gateway.streams import stream_reply, wants_bytes
from schemas import headers, subjects
from schemas.errors import InvalidInput, RuntimeFault, TooLarge, WasmForgeError
from schemas.http import Checked, TryRequest, TryResult
from schemas.limits import MAX_SOURCE_BYTES, Limits, check_limits
from schemas.messages import CheckReply, CheckRequest, DraftRun, SourceProblem

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
        try:
            limits = msgspec.convert(wanted.limits, Limits)
        except msgspec.ValidationError as error:
            raise InvalidInput(f'limits must be an object such as {{"timeout_ms": 30000}}: {error}') from None
        check_limits(limits, self._ceilings)
        size = len(wanted.source.encode("utf-8", "replace"))
        if size > MAX_SOURCE_BYTES:
            raise TooLarge("The source", size_bytes=size, limit_bytes=MAX_SOURCE_BYTES)
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
    size = len(source.encode("utf-8", "replace"))
    if size > MAX_SOURCE_BYTES:
        raise TooLarge("The source", size_bytes=size, limit_bytes=MAX_SOURCE_BYTES)
    request = _encode(CheckRequest(source))
    nobody = "the source can't be checked, no executor is running"
    reply = await ask(inbox, subjects.CHECK, request, timeout_seconds=_CHECK_SECONDS, nobody=nobody)
    try:
        verdict = msgspec.json.decode(reply.body, type=CheckReply)
    except msgspec.MsgspecError:
        raise RuntimeFault("the source can't be checked: an executor's answer makes no sense") from None
    problems = list(verdict.problems)
    if not verdict.ok and not problems:
        problems.append(SourceProblem(verdict.message or "it does not compile", verdict.line, verdict.column))
    return Checked(verdict.ok, problems)
