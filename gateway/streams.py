"""The answer of ``/fn`` as server-sent events: output as the plugin sends it."""

import codecs
from collections.abc import AsyncIterator

import msgspec
from starlette.types import Receive, Send

from gateway.dispatch import Dispatcher, Order, StreamEvent
from gateway.leaving import sent_or_left
from schemas import headers
from schemas.errors import (
    AIFailure,
    Busy,
    InvalidInput,
    NotFound,
    RuntimeFault,
    TooLarge,
    Unavailable,
    WasmForgeError,
)
from schemas.http import StreamDone

_BEFORE_THE_PLUGIN_RAN = (Busy, InvalidInput, NotFound, TooLarge, Unavailable)
"""Errors that get a status of their own as long as nothing has been sent; all others come as ``done``."""

SSE_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    # Proxies that collect answers before they pass them on would undo the stream.
    (b"x-accel-buffering", b"no"),
    (b"x-content-type-options", b"nosniff"),
]
"""Of every stream of events."""

_encode = msgspec.json.Encoder().encode


def wants_stream(accept: bytes) -> bool:
    """Whether the caller prefers a stream of events."""
    return any(part.partition(b";")[0].strip().lower() == b"text/event-stream" for part in accept.split(b","))


def wants_bytes(accept: bytes) -> bool:
    """Whether the caller of a stream takes ``{"base64": …}`` for output that is not UTF-8 (``…; output=bytes``)."""
    return b"output=bytes" in accept.lower().replace(b" ", b"")


def is_text(output: bytes) -> bool:
    """Whether it is valid UTF-8."""
    try:
        output.decode()
    except UnicodeDecodeError:
        return False
    return True


async def stream_reply(dispatcher: Dispatcher, order: Order, receive: Receive, send: Send, *, as_bytes: bool) -> None:
    """Run the plugin and send what it says as it comes. A client that goes away ends the wait.

    Raises:
        WasmForgeError: the plugin did not run, and nothing has been sent.
    """
    await sent_or_left(receive, _Events(order, send, as_bytes=as_bytes).send_all(dispatcher))


def event(name: str, data: bytes) -> bytes:
    """One server-sent event; ``data`` is one line."""
    return b"event: %s\ndata: %s\n\n" % (name.encode(), data)


class _Events:
    """One stream, from its first event to ``done``."""

    def __init__(self, order: Order, send: Send, *, as_bytes: bool) -> None:
        self._order = order
        self._as_bytes = as_bytes
        self._send = send
        self._started = False
        # A piece may end inside a character.
        self._output = codecs.getincrementaldecoder("utf-8")("replace")

    async def send_all(self, dispatcher: Dispatcher) -> None:
        """Send every event; raises errors from before the plugin ran."""
        phases: dict[str, int] = {}
        ai_use = (0, 0, 0)
        error: WasmForgeError | None = None
        try:
            async with dispatcher.stream(self._order) as events:
                end = await self._forward(events)
            if end.end is not None:
                error, phases = end.end.error, headers.get_phases(end.end.headers)
                ai_use = headers.get_ai_use(end.end.headers)
        except WasmForgeError as caught:
            error = caught
        if error is not None and not self._started and isinstance(error, _BEFORE_THE_PLUGIN_RAN):
            raise error
        if rest := self._output.decode(b"", final=True):
            await self._event(headers.EVENT_OUTPUT, _encode(rest))
        done = StreamDone(
            success=error is None,
            error=None if error is None else error.message,
            error_type=None if error is None else str(error.error_type),
            execution_id=self._order.execution_id,
            phases=phases,
            code=str(error.code) if isinstance(error, AIFailure) else None,
            ai_calls=ai_use[0],
            ai_prompt_tokens=ai_use[1],
            ai_output_tokens=ai_use[2],
        )
        await self._event("done", _encode(done), more=False)

    async def _forward(self, events: AsyncIterator[StreamEvent]) -> StreamEvent:
        async for piece in events:
            if piece.kind == headers.EVENT_HEARTBEAT:
                await self._write(b":\n\n")
            elif piece.kind == headers.EVENT_LOG:
                await self._event(headers.EVENT_LOG, _encode(piece.data.decode("utf-8", "replace")))
            else:
                await self._send_output(piece.data)
            if piece.end is not None:
                return piece
        raise RuntimeFault("the stream ended without its last message")

    async def _send_output(self, data: bytes) -> None:
        if self._as_bytes and not is_text(data):
            await self._event(headers.EVENT_OUTPUT, _encode({"base64": data}))
        elif text := self._output.decode(data):
            await self._event(headers.EVENT_OUTPUT, _encode(text))

    async def _event(self, name: str, data: bytes, *, more: bool = True) -> None:
        await self._write(event(name, data), more=more)

    async def _write(self, data: bytes, *, more: bool = True) -> None:
        if not self._started:
            self._started = True
            await self._send({"type": "http.response.start", "status": 200, "headers": self._headers()})
        await self._send({"type": "http.response.body", "body": data, "more_body": more})

    def _headers(self) -> list[tuple[bytes, bytes]]:
        return [*SSE_HEADERS, (b"wasmforge-execution-id", self._order.execution_id.encode())]
