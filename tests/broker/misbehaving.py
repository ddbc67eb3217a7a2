"""A model server that does whatever a test tells it, down to the bytes."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from tests.modelserver.running import free_port


@dataclass
class Asked:
    """A request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body."""
        return json.loads(self.body)


Behaviour = Callable[[asyncio.StreamWriter], Awaitable[None]]


def http(body: bytes | str | object, status: int = 200, **headers: str) -> bytes:
    """A whole response; what is no text becomes JSON."""
    if not isinstance(body, bytes | str):
        body = json.dumps(body)
    if isinstance(body, str):
        body = body.encode()
    given = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    return f"HTTP/1.1 {status} Whatever\r\n{head}\r\n".encode() + body


def answer(text: str = "fine", **more: Any) -> bytes:
    """A good answer to a generate request."""
    return http({"model": "m", "response": text, "done": True, "prompt_eval_count": 3, "eval_count": 2} | more)


def sends(data: bytes) -> Behaviour:
    """Send this and keep the connection."""

    async def behave(writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()

    return behave


def sends_and_closes(data: bytes) -> Behaviour:
    """Send this and close the connection."""

    async def behave(writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()
        writer.close()

    return behave


def repeats(head: bytes, piece: bytes, pause_seconds: float = 0.0) -> Behaviour:
    """Send a head, and then a piece over and over until the other side has enough."""

    async def behave(writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause_seconds)

    return behave


CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk(data: bytes) -> bytes:
    """A chunk of a chunked body; an empty one ends it."""
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


async def hangs(writer: asyncio.StreamWriter) -> None:
    """Never answer."""
    await asyncio.Event().wait()


def hangs_after(data: bytes) -> Behaviour:
    """Send this, and then nothing more."""

    async def behave(writer: asyncio.StreamWriter) -> None:
        await sends(data)(writer)
        await hangs(writer)

    return behave


@dataclass
class Misbehaving:
    """The server; ``generate`` and ``tags`` say what it does with each."""

    port: int = field(default_factory=free_port)
    generate: Behaviour = field(default_factory=lambda: sends(answer()))
    tags: Behaviour = field(default_factory=lambda: sends(http({"models": [{"name": "smollm2:135m"}]})))
    ps: Behaviour = field(default_factory=lambda: sends(http({"models": []})))
    show: Behaviour = field(default_factory=lambda: sends(http({})))
    asked: list[Asked] = field(default_factory=list)
    """All but what a broker asks by itself, which are..."""
    checks: list[str] = field(default_factory=list)
    connections: int = 0
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once a client has gone while it was being answered."""
    _serving: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Misbehaving"]:
        """Listen for the length of the block."""
        server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)
        try:
            yield self
        finally:
            server.close()
            for task in self._serving:
                task.cancel()
            if self._serving:
                await asyncio.wait(self._serving)
            await server.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        self.connections += 1
        try:
            with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
                while not writer.is_closing():
                    asked = await _read(reader)
                    await self._behave(self._behaviour(asked), reader, writer)
        finally:
            writer.close()

    def _behaviour(self, asked: Asked) -> Behaviour:
        for path, behaviour in (
            ("/api/tags", self.tags),
            ("/v1/models", self.tags),
            ("/api/ps", self.ps),
            ("/api/show", self.show),
        ):
            if asked.path.endswith(path):
                self.checks.append(path)
                return behaviour
        self.asked.append(asked)
        return self.generate

    async def _behave(self, behave: Behaviour, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behaving = asyncio.ensure_future(behave(writer))
        watching = asyncio.ensure_future(self._watch(reader))
        try:
            await asyncio.wait((behaving, watching), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for part in (behaving, watching):
                part.cancel()
            outcome, _ = await asyncio.gather(behaving, watching, return_exceptions=True)
            if isinstance(outcome, ConnectionError):
                self.left.set()

    async def _watch(self, reader: asyncio.StreamReader) -> None:
        while not reader.at_eof():
            if reader._buffer:  # type: ignore[attr-defined]  # the next request is not ours to take
                await asyncio.Event().wait()
            await asyncio.sleep(0.005)
        self.left.set()


async def _read(reader: asyncio.StreamReader) -> Asked:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    method, path, _ = head[0].split(" ")
    headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
    return Asked(method, path, headers, await reader.readexactly(int(headers.get("content-length", "0"))))
