"""Requests to one server over connections that are kept and used again."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from broker.http.address import Address
from broker.http.connection import Connection, HttpTrouble, Trouble

CONNECT_SECONDS = 3.0
IDLE_SECONDS = 4.0
"""Idle connections are given up before a server that closes them after 5 s does."""

MAX_IDLE = 64


class HttpClient:
    """A client of one server. Close it, or use it as ``async with``."""

    def __init__(self, address: Address, headers: Mapping[str, str]) -> None:
        given = {"Host": address.host_header, "Accept-Encoding": "identity", "User-Agent": "wasmforge-broker"}
        if address.authorization is not None:
            given["Authorization"] = address.authorization
        given |= headers
        if any(c in value for value in given.values() for c in "\r\n\0"):
            raise ValueError("a header can't hold line breaks")
        self._address = address
        self._head = "".join(f"{name}: {value}\r\n" for name, value in given.items())
        self._tls = ssl.create_default_context() if address.tls else None
        self._idle: list[tuple[Connection, float]] = []

    async def __aenter__(self) -> "HttpClient":
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the idle connections; those in use are closed by whoever uses them."""
        for connection, _ in self._idle:
            connection.abort()
        self._idle.clear()

    @asynccontextmanager
    async def request(self, method: str, path: str, body: bytes | None = None) -> AsyncIterator[Connection]:
        """An answer whose head has come: ``status``, ``headers``, ``read()``.

        A block that is left before the answer's end closes the connection at once.

        Raises:
            HttpTrouble: there is no whole answer.
        """
        head = f"{method} {self._address.path}{path} HTTP/1.1\r\n{self._head}"
        if body is not None:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        request = f"{head}\r\n".encode() + (body or b"")
        connection: Connection | None
        connection, used = await self._connection()
        try:
            connection.begin(request)
            try:
                await connection.head()
            except HttpTrouble as error:
                # The server closed an idle connection in the moment it was used again: nobody has read the request.
                if not used or connection.answered or error.trouble is not Trouble.CLOSED:
                    raise
                connection.abort()
                connection = await self._connect()
                connection.begin(request)
                await connection.head()
            yield connection
        finally:
            if connection.reusable:
                self._idle.append((connection, asyncio.get_running_loop().time()))
                connection = self._idle.pop(0)[0] if len(self._idle) > MAX_IDLE else None
            if connection is not None:
                connection.abort()

    async def _connection(self) -> tuple[Connection, bool]:
        oldest = asyncio.get_running_loop().time() - IDLE_SECONDS
        while self._idle:
            connection, since = self._idle.pop()
            if since > oldest and connection.alive:
                return connection, True
            connection.abort()
        return await self._connect(), False

    async def _connect(self) -> Connection:
        address = self._address
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                _, connection = await asyncio.get_running_loop().create_connection(
                    Connection, address.host, address.port, ssl=self._tls
                )
        except TimeoutError:
            raise HttpTrouble(Trouble.UNREACHABLE, f"no connection within {CONNECT_SECONDS:.0f} s") from None
        except OSError as error:
            raise HttpTrouble(Trouble.UNREACHABLE, error.strerror or str(error) or type(error).__name__) from None
        return connection
