"""``POST /fn/{name}``: the function as a URL. Any body in, the output out."""

import re
import secrets
import time
from collections.abc import Mapping

from starlette.types import Receive, Scope, Send

from gateway.bodies import Budget, read_body
from gateway.dispatch import Dispatcher, Order
from gateway.inbox import Inbox
from gateway.leaving import WhileConnected
from gateway.replies import RawHeaders, problem
from gateway.streams import is_text, stream_reply, wants_bytes, wants_stream
from gateway.waiters import Reply
from schemas import headers
from schemas.errors import InvalidInput, NotFound, WasmForgeError
from schemas.limits import Limits

_REVISION = re.compile(r"[0-9a-f]{64}")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_TOKEN = re.compile(r"[A-Za-z0-9._:@/-]{1,128}")
_MAX_DIGITS = 12
_MAX_TAPE = 300

# A plugin's output is a stranger's: it must never run as a page of this origin.
SAFE_OUTPUT: RawHeaders = [
    (b"x-content-type-options", b"nosniff"),
    (b"content-security-policy", b"sandbox; default-src 'none'"),
    (b"cache-control", b"no-store"),
]

_TEXT = (b"content-type", b"text/plain; charset=utf-8")
_BINARY = (b"content-type", b"application/octet-stream")


class FunctionEndpoint:
    """The ASGI application behind ``/fn/{name}``."""

    def __init__(self, inbox: Inbox, budget: Budget, ceilings: Limits) -> None:
        self._inbox = inbox
        self._dispatcher = Dispatcher(inbox)
        self._budget = budget
        self._ceilings = ceilings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        execution_id = secrets.token_hex(16)
        asked = {name: value for name, value in scope["headers"] if name in _READ}
        reply: Reply | None = None
        try:
            with self._budget.share() as share:
                limit_bytes = min(self._ceilings.input_bytes, self._inbox.payload_limit())
                body = await read_body(scope, receive, share, limit_bytes, "The input")
                order = self._order(scope["path_params"]["name"], body, execution_id, asked, started)
                accept = asked.get(b"accept", b"")
                if wants_stream(accept):
                    await stream_reply(self._dispatcher, order, receive, send, as_bytes=wants_bytes(accept))
                    return
                async with WhileConnected(receive):
                    reply = await self._dispatcher.call(order)
                if reply.error is not None:
                    raise reply.error
        except WasmForgeError as error:
            await _send_error(send, error, execution_id, reply, started)
            return
        output = reply.body
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [
                    _TEXT if is_text(output) else _BINARY,
                    (b"content-length", str(len(output)).encode()),
                    *SAFE_OUTPUT,
                    *reply_headers(execution_id, reply.headers, started),
                ],
            }
        )
        await send({"type": "http.response.body", "body": output})

    def _order(self, name: str, body: bytes, execution_id: str, asked: dict[bytes, bytes], started: float) -> Order:
        timeout_ms = read_timeout(asked.get(b"wasmforge-timeout-ms"))
        if timeout_ms is not None:
            timeout_ms = max(1, timeout_ms - int((time.perf_counter() - started) * 1000))
        return Order(
            plugin=name,
            body=body,
            execution_id=execution_id,
            timeout_ms=timeout_ms,
            ceiling_ms=self._ceilings.timeout_ms,
            revision=_matching(_REVISION, asked, headers.REVISION, "64 hexadecimal digits, a revision of this plugin"),
            caller=_matching(_TOKEN, asked, headers.CALLER, "up to 128 letters, digits or . _ : @ / -"),
            traceparent=read_traceparent(asked.get(b"traceparent")),
            record=asked.get(headers.RECORD.lower().encode()) == b"1",
        )


_READ = frozenset({b"accept", b"traceparent"}) | {
    name.lower().encode() for name in (headers.TIMEOUT_MS, headers.REVISION, headers.CALLER, headers.RECORD)
}


def read_timeout(value: bytes | None) -> int | None:
    """Milliseconds out of ``Wasmforge-Timeout-Ms``.

    Raises:
        InvalidInput: not a whole number above zero.
    """
    if value is None:
        return None
    if not value.isdigit() or len(value) > _MAX_DIGITS or int(value) == 0:
        raise InvalidInput(f"{headers.TIMEOUT_MS} must be a whole number of milliseconds above zero")
    return int(value)


def read_traceparent(value: bytes | None) -> str | None:
    """A W3C trace context, or None: what can't be read is ignored, as that specification asks for."""
    text = (value or b"").decode("latin-1").strip()
    return text if _TRACEPARENT.fullmatch(text) else None


def _matching(pattern: re.Pattern[str], asked: dict[bytes, bytes], name: str, shape: str) -> str | None:
    value = asked.get(name.lower().encode())
    if value is None:
        return None
    text = value.decode("latin-1").strip()
    if pattern.fullmatch(text) is None:
        if name == headers.REVISION:
            raise NotFound(f"there is no such revision: {name} must be {shape}")
        raise InvalidInput(f"{name} must be {shape}")
    return text


def reply_headers(execution_id: str, found: Mapping[str, str], started: float) -> RawHeaders:
    """What is known about a call, as HTTP headers. ``found`` is not trusted."""
    timing = [f"{phase};dur={us / 1000:.3f}" for phase, us in headers.get_phases(found).items()]
    timing.append(f"total;dur={(time.perf_counter() - started) * 1000:.3f}")
    made = [
        (b"wasmforge-execution-id", execution_id.encode()),
        (b"server-timing", ", ".join(timing).encode()),
    ]
    for name in (headers.REVISION, headers.EXECUTOR, *headers.AI_USE):
        value = found.get(name)
        if value is not None and _TOKEN.fullmatch(value):
            made.append((name.lower().encode(), value.encode()))
    if (tape := tape_of(found)) is not None:
        made.append((headers.TAPE.lower().encode(), tape.encode()))
    return made


def tape_of(found: Mapping[str, str]) -> str | None:
    """What a reply says of its call's tape; None if it says nothing that can stand in a header."""
    text = found.get(headers.TAPE)
    return text if text is not None and text.isascii() and text.isprintable() and len(text) <= _MAX_TAPE else None


async def _send_error(
    send: Send, error: WasmForgeError, execution_id: str, reply: Reply | None, started: float
) -> None:
    found = reply.headers if reply is not None else {}
    body, made = problem(error, execution_id, headers.get_phases(found))
    made += reply_headers(execution_id, found, started)
    await send({"type": "http.response.start", "status": error.http_status, "headers": made})
    await send({"type": "http.response.body", "body": body})
