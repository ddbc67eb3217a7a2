"""A model server with no model and as little cost as can be: Ollama's API, answers whose timing their prompt says.

``python -m bench.ai_server [--port N]`` prints its address once it listens. A prompt is ``LATENCY_MS TOKENS TOKEN_MS``:
the first token comes after the latency, each further one after so long again. A token is the time at which it was
sent, nanoseconds of the monotonic clock, so that whoever gets it knows how long it took. ``GET /counts`` tells how many
answers ran at once.
"""

import argparse
import asyncio
import time

import httptools
import msgspec
import uvloop

MODEL = "mistral:latest"
_JSON = b"application/json"
_LINES = b"application/x-ndjson"
_LAST_CHUNK = b"0\r\n\r\n"


class Generate(msgspec.Struct):
    """What it reads of a request."""

    prompt: str = ""
    stream: bool = True


class Counts(msgspec.Struct):
    """Answers that run, ran at once at most, and were asked for."""

    running: int = 0
    peak: int = 0
    asked: int = 0


class _Connection(asyncio.Protocol):
    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._parser = httptools.HttpRequestParser(self)
        self._path = b""
        self._body = b""
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # uvloop has a class of its own

    def connection_lost(self, error: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._counts.running -= 1
        self._transport = None

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_url(self, url: bytes) -> None:
        self._path, self._body = url, b""

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        path = self._path
        if path == b"/api/generate":
            self._generate(msgspec.json.decode(self._body, type=Generate))
        elif path == b"/counts":
            self._answer(msgspec.json.encode(self._counts))
            self._counts.peak = self._counts.running
        elif path in (b"/api/tags", b"/api/ps"):
            self._answer(msgspec.json.encode({"models": [{"name": MODEL, "model": MODEL, "size": 1, "digest": "d"}]}))
        else:
            self._answer(b"{}")

    def _answer(self, body: bytes) -> None:
        self._write(b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n%b" % (_JSON, len(body), body))

    def _write(self, data: bytes) -> None:
        if self._transport is not None:
            self._transport.write(data)

    def _generate(self, asked: Generate) -> None:
        latency_ms, tokens, token_ms = (float(part) for part in asked.prompt.split()[:3])
        counts = self._counts
        counts.asked += 1
        counts.running += 1
        counts.peak = max(counts.peak, counts.running)
        loop = asyncio.get_running_loop()
        if asked.stream:
            head = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nTransfer-Encoding: chunked\r\n\r\n" % _LINES
            self._timer = loop.call_later(latency_ms / 1000, self._token, head, int(tokens), token_ms / 1000)
        else:
            seconds = (latency_ms + max(0.0, tokens - 1) * token_ms) / 1000
            self._timer = loop.call_later(seconds, self._whole, int(tokens))

    def _whole(self, tokens: int) -> None:
        self._ended()
        stamp = str(time.monotonic_ns())
        self._answer(
            b'{"model":"%b","response":"%b","done":true,"done_reason":"stop","prompt_eval_count":3,"eval_count":%d}'
            % (MODEL.encode(), " ".join([stamp] * max(1, tokens)).encode(), tokens)
        )

    def _token(self, before: bytes, left: int, pause_seconds: float) -> None:
        line = b'{"model":"%b","response":"%d ","done":false}\n' % (MODEL.encode(), time.monotonic_ns())
        self._write(before + _chunk(line))
        loop = asyncio.get_running_loop()
        if left > 1:
            self._timer = loop.call_later(pause_seconds, self._token, b"", left - 1, pause_seconds)
            return
        self._ended()
        last = b'{"model":"%b","response":"","done":true,"prompt_eval_count":3,"eval_count":1}\n' % MODEL.encode()
        self._write(_chunk(last) + _LAST_CHUNK)

    def _ended(self) -> None:
        self._timer = None
        self._counts.running -= 1


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


async def _serve(port: int) -> None:
    counts = Counts()
    server = await asyncio.get_running_loop().create_server(
        lambda: _Connection(counts), "127.0.0.1", port, backlog=2048
    )
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await server.serve_forever()


def main() -> None:
    """Serve until a signal comes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    uvloop.run(_serve(parser.parse_args().port))


if __name__ == "__main__":
    main()
