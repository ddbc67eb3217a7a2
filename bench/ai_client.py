"""Those who ask: of a model server directly, or of the broker, in a process of their own.

``python -m bench.ai_client`` reads one `Load` a line on standard input and answers each with one `Heard`, both JSON.
"""

import asyncio
import logging
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httptools
import msgspec
import uvloop
from nats.aio.client import Client
from nats.aio.msg import Msg

from schemas import bus, headers, subjects


class Load(msgspec.Struct, frozen=True):
    """So many callers that each ask, wait for the answer, and ask again."""

    to: str
    """``http://…``: a model server; ``nats://…``: the broker."""
    model: str
    prompt: str
    callers: int = 1
    seconds: float = 0.0
    """For so long..."""
    requests: int = 0
    """... or so often each."""
    stream: bool = False
    plugin: str = "bench"
    options: dict[str, Any] | None = None
    stamped: bool = True
    """Whether tokens are times at which they were sent."""


class Heard(msgspec.Struct):
    """What came of it; lengths of time in microseconds."""

    latencies_us: list[int] = []
    firsts_us: list[int] = []
    """From the request to the first token of a stream."""
    delays_us: list[int] = []
    """From a token's sending to its arrival."""
    tokens: int = 0
    failures: dict[str, int] = {}
    seconds: float = 0.0
    cpu_seconds: float = 0.0


class _Asking:
    """One request on its way."""

    def __init__(self, load: Load, heard: Heard) -> None:
        self._load = load
        self._heard = heard
        self.began_ns = time.monotonic_ns()
        self._any = False

    def text(self, text: str) -> None:
        """A piece of the answer has come."""
        now_ns = time.monotonic_ns()
        if not self._any:
            self._any = True
            self._heard.firsts_us.append((now_ns - self.began_ns) // 1000)
        if self._load.stamped:
            stamps = text.split()
            self._heard.tokens += len(stamps)
            self._heard.delays_us += [(now_ns - int(stamp)) // 1000 for stamp in stamps]
        else:
            self._heard.tokens += 1

    def end(self, failure: str | None = None) -> None:
        """It is over."""
        if failure is None:
            self._heard.latencies_us.append((time.monotonic_ns() - self.began_ns) // 1000)
        else:
            self._heard.failures[failure] = self._heard.failures.get(failure, 0) + 1


class _Direct(asyncio.Protocol):
    """One connection to a model server."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._done: asyncio.Future[None] | None = None
        self._asking: _Asking | None = None
        self._stream = False
        self._buffer = b""
        self._parser: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # uvloop has a class of its own

    def connection_lost(self, error: Exception | None) -> None:
        self._finish("connection lost")

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        if self._stream and self._asking is not None:
            self._buffer += body
            *lines, self._buffer = self._buffer.split(b"\n")
            for line in lines:
                if text := msgspec.json.decode(line).get("response"):
                    self._asking.text(text)

    def on_message_complete(self) -> None:
        self._finish(None if self._parser.get_status_code() == 200 else f"HTTP {self._parser.get_status_code()}")

    async def ask(self, request: bytes, asking: _Asking, stream: bool) -> None:
        """Send it and wait for the end of the answer."""
        self._parser = httptools.HttpResponseParser(self)
        self._asking, self._stream, self._buffer = asking, stream, b""
        self._done = asyncio.get_running_loop().create_future()
        assert self._transport is not None
        self._transport.write(request)
        await self._done

    def close(self) -> None:
        """Close it."""
        if self._transport is not None:
            self._transport.close()

    def _finish(self, failure: str | None) -> None:
        if self._done is not None and not self._done.done() and self._asking is not None:
            self._asking.end(failure)
            self._done.set_result(None)


class _Streams:
    """Streamed answers of the broker: one subscription for all of them."""

    def __init__(self, nc: Client) -> None:
        self._nc = nc
        self._inbox = nc.new_inbox()
        self._count = 0
        self._open: dict[str, tuple[_Asking, asyncio.Future[None]]] = {}

    async def start(self) -> None:
        """Listen."""
        await self._nc.subscribe(f"{self._inbox}.*", cb=self._on_message)

    async def ask(self, body: bytes, given: dict[str, str], asking: _Asking) -> None:
        """Send it and wait for the end of the answer."""
        self._count += 1
        inbox = f"{self._inbox}.{self._count}"
        done = asyncio.get_running_loop().create_future()
        self._open[inbox] = (asking, done)
        await self._nc.publish(subjects.AI_GENERATE, body, inbox, headers=given)
        await done

    async def _on_message(self, msg: Msg) -> None:
        asking, done = self._open[msg.subject]
        given = msg.headers or {}
        if given.get(headers.EVENT) == headers.EVENT_OUTPUT:
            asking.text(msg.data.decode())
        elif headers.FINAL in given or "Status" in given:
            del self._open[msg.subject]
            asking.end(_failure_of(msg))
            done.set_result(None)


def _failure_of(msg: Msg) -> str | None:
    given = msg.headers or {}
    if "Status" in given:
        return f"NATS {given['Status']}"
    error = headers.get_error(given, msg.data)
    return None if error is None else given.get(headers.ERROR_CODE) or str(error.error_type)


async def measure(load: Load) -> Heard:
    """Ask for as long as it says."""
    heard = Heard(failures={})
    cpu, began = time.process_time(), time.perf_counter()
    await (_of_server if load.to.startswith("http") else _of_broker)(load, heard)
    heard.seconds = time.perf_counter() - began
    heard.cpu_seconds = time.process_time() - cpu
    return heard


async def _of_server(load: Load, heard: Heard) -> None:
    host, _, port = load.to.removeprefix("http://").partition(":")
    body = _body(load, stream=load.stream)
    head = f"POST /api/generate HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n\r\n"
    request = head.encode() + body

    async def caller() -> None:
        _, connection = await asyncio.get_running_loop().create_connection(_Direct, host, int(port))
        await _again(load, lambda: connection.ask(request, _Asking(load, heard), load.stream))
        connection.close()

    await asyncio.gather(*(caller() for _ in range(load.callers)))


async def _of_broker(load: Load, heard: Heard) -> None:
    nc = await bus.connect(load.to, "bench")
    given = {headers.PLUGIN: load.plugin, headers.TIMEOUT_MS: "120000"}
    try:
        if load.stream:
            given[headers.STREAM] = "1"
            streams = _Streams(nc)
            await streams.start()
            body = _body(load)
            one: Callable[[], Awaitable[None]] = lambda: streams.ask(body, given, _Asking(load, heard))  # noqa: E731
        else:
            body = _body(load)

            async def one() -> None:
                asking = _Asking(load, heard)
                reply = await nc.request(subjects.AI_GENERATE, body, timeout=120, headers=given)
                asking.end(_failure_of(reply))

        await asyncio.gather(*(_again(load, one) for _ in range(load.callers)))
    finally:
        await nc.close()


def _body(load: Load, **more: Any) -> bytes:
    options = {} if load.options is None else {"options": load.options}
    return msgspec.json.encode({"model": load.model, "prompt": load.prompt} | options | more)


async def _again(load: Load, one: Callable[[], Awaitable[None]]) -> None:
    if load.requests:
        for _ in range(load.requests):
            await one()
        return
    until = time.perf_counter() + load.seconds
    while time.perf_counter() < until:
        await one()


def main() -> None:
    """Serve loads until standard input ends."""
    logging.getLogger("schemas.bus").setLevel(logging.ERROR)
    for line in sys.stdin:
        heard = uvloop.run(measure(msgspec.json.decode(line, type=Load)))
        print(msgspec.json.encode(heard).decode(), flush=True)


if __name__ == "__main__":
    main()
