"""Answers every HTTP request with the same bytes at once: shows how fast the load generator itself is.

``python -m bench.fixed_server`` prints its port once it listens.
"""

import asyncio

import uvloop

BODY = b"BENCH"
_ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(BODY), BODY)


class _Fixed(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        # The load generator sends a request in one piece, and the next only after the answer.
        self._transport.write(_ANSWER)  # type: ignore[attr-defined]


async def _serve() -> None:
    server = await asyncio.get_running_loop().create_server(_Fixed, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve())
