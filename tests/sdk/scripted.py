"""An HTTP server that answers what a test says, byte for byte: also what no real gateway would."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import msgspec


@dataclass
class Request:
    """One request as it came."""

    line: str
    headers: dict[str, str]
    body: bytes


@dataclass
class ScriptedServer:
    """Answers the n-th request with the n-th script, all further ones with the last; every answer ends its connection.

    A script is the pieces that are written one after the other; an empty script closes the connection unanswered.
    """

    scripts: Sequence[Sequence[bytes]]
    url: str = ""
    requests: list[Request] = field(default_factory=list)
    hang: asyncio.Event = field(default_factory=asyncio.Event)
    """While a script's last piece is `HANG`, the connection stays open until this is set."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, one request."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            script = self.scripts[min(len(self.requests), len(self.scripts) - 1)]
            self.requests.append(Request(head[0], headers, body))
            for piece in script:
                if piece is HANG:
                    await self.hang.wait()
                else:
                    writer.write(piece)
                    await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


HANG = b"(hang)"


def answer(status: str, body: bytes, **headers: str) -> list[bytes]:
    """A whole response."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ["\r\n".join(lines).encode() + b"\r\n\r\n", body]


def answer_json(status: str, value: object, **headers: str) -> list[bytes]:
    """A whole response with a JSON body."""
    return answer(status, msgspec.json.encode(value), Content_Type="application/json", **headers)


EVENT_STREAM = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nWasmforge-Execution-Id: e1\r\nConnection: close\r\n\r\n"
)


@asynccontextmanager
async def scripted(*scripts: Sequence[bytes]) -> AsyncIterator[ScriptedServer]:
    """A running server; its ``requests`` grow as they come."""
    script = ScriptedServer(scripts)
    server = await asyncio.start_server(script.serve, "127.0.0.1", 0)
    script.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield script
    finally:
        script.hang.set()
        server.close()
        await server.wait_closed()
