"""A load generator that costs less than what it measures: HTTP/1.1 over kept connections, written and read by hand.

    python -m bench.http_client

A process of its own; it reads one `Slice` a line on standard input and answers each with one `Measured`, both JSON.
"""

import asyncio
import sys
import time

import httpx
import msgspec
import uvloop


class Slice(msgspec.Struct, frozen=True):
    """Some seconds of load: ``callers`` that each call, wait for the answer, and call again."""

    host: str
    port: int
    path: str
    body: str
    callers: int
    seconds: float
    expected: str
    with_httpx: bool = False
    """Use httpx, to know what a common client costs."""


class Measured(msgspec.Struct):
    """What came of a slice."""

    latencies_us: list[int] = []
    seconds: float = 0.0
    failures: int = 0
    cpu_seconds: float = 0.0
    """Of the load generator itself."""


class _Caller(asyncio.Protocol):
    """One connection; the next request goes out in the same step in which an answer has arrived."""

    def __init__(self, asked: Slice, measured: Measured, until: float) -> None:
        body = asked.body.encode()
        head = f"POST {asked.path} HTTP/1.1\r\nHost: {asked.host}\r\nContent-Length: {len(body)}\r\n\r\n"
        self._request = head.encode() + body
        self._expected = asked.expected.encode()
        self._measured = measured
        self._until = until
        self._began = 0
        self._buffer = b""
        self._transport: asyncio.Transport | None = None
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # uvloop has a class of its own
        self._next()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found or len(body) < _content_length(head):
            return
        self._measured.latencies_us.append((time.perf_counter_ns() - self._began) // 1000)
        if not head.startswith(b"HTTP/1.1 200") or body != self._expected:
            self._measured.failures += 1
        self._buffer = b""
        if time.perf_counter() < self._until:
            self._next()
        elif self._transport is not None:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if time.perf_counter() < self._until:
            self._measured.failures += 1
        if not self.done.done():
            self.done.set_result(None)

    def _next(self) -> None:
        self._began = time.perf_counter_ns()
        if self._transport is not None:
            self._transport.write(self._request)


def _content_length(head: bytes) -> int:
    _, _, rest = head.lower().partition(b"\r\ncontent-length:")
    return int(rest.partition(b"\r\n")[0] or b"0")


async def _measure(asked: Slice) -> Measured:
    measured = Measured()
    cpu, began = time.process_time(), time.perf_counter()
    until = began + asked.seconds
    if asked.with_httpx:
        await asyncio.gather(*(_call_by_httpx(asked, measured, until) for _ in range(asked.callers)))
    else:
        loop = asyncio.get_running_loop()
        callers = [_Caller(asked, measured, until) for _ in range(asked.callers)]
        for caller in callers:
            await loop.create_connection(lambda caller=caller: caller, asked.host, asked.port)  # type: ignore[misc]
        await asyncio.gather(*(caller.done for caller in callers))
    measured.seconds = time.perf_counter() - began
    measured.cpu_seconds = time.process_time() - cpu
    return measured


async def _call_by_httpx(asked: Slice, measured: Measured, until: float) -> None:
    url = f"http://{asked.host}:{asked.port}{asked.path}"
    async with httpx.AsyncClient(trust_env=False, verify=False) as client:  # noqa: S501  # plain HTTP
        # Once at least: on a busy machine a client alone takes longer to make than a short slice.
        while not measured.latencies_us or time.perf_counter() < until:
            began = time.perf_counter()
            reply = await client.post(url, content=asked.body)
            measured.latencies_us.append(round((time.perf_counter() - began) * 1e6))
            measured.failures += reply.status_code != 200 or reply.text != asked.expected


def main() -> None:
    """Serve slices until standard input ends."""
    for line in sys.stdin:
        measured = uvloop.run(_measure(msgspec.json.decode(line, type=Slice)))
        print(msgspec.json.encode(measured).decode(), flush=True)


if __name__ == "__main__":
    main()
