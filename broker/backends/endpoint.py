"""A model server's HTTP side: what fails there becomes an `AIFailure` that names the server and says what happened."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

import msgspec

from broker.backends.backend import Unreachable
from broker.http.client import HttpClient
from broker.http.connection import Connection, HttpTrouble, Trouble
from schemas.errors import AIErrorCode, AIFailure

MAX_REPLY_BYTES = 2 * 1024 * 1024
"""Largest body of a whole answer; 4,096 tokens of answer are some 20 KiB."""

MAX_ERROR_CHARACTERS = 300
_ERROR_BYTES = 256 * 1024
_END_SECONDS = 0.05

T = TypeVar("T")

UNREADABLE = (msgspec.MsgspecError, RecursionError, UnicodeDecodeError)


def sentence(text: str) -> str:
    """One line of what a server said."""
    printable = "".join(c if c.isprintable() else " " for c in text[: 4 * MAX_ERROR_CHARACTERS])
    return " ".join(printable.split())[:MAX_ERROR_CHARACTERS]


def error_of(data: bytes) -> str:
    """What an error's body says: ``{"error": text}`` or ``{"error": {"message": text}}``; else nothing."""
    try:
        return said(msgspec.json.decode(data)["error"])
    except (*UNREADABLE, KeyError, TypeError):
        return ""


def said(error: Any) -> str:
    """The words of an ``error`` field, in one line."""
    if isinstance(error, dict):
        error = error.get("message")
    return sentence(error) if isinstance(error, str) else ""


class Endpoint:
    """One server."""

    def __init__(self, client: HttpClient, url: str, name: str, setting: str) -> None:
        self._client = client
        self.url = url
        """Its address, without a password."""
        self._name = name
        """Whose API it ought to speak."""
        self._setting = setting

    def close(self) -> None:
        """Close idle connections."""
        self._client.close()

    @asynccontextmanager
    async def opened(self, method: str, path: str, body: Any = None, model: str | None = None) -> AsyncIterator["Body"]:
        """The body of a good answer (status 200).

        Args:
            method, path: of the request.
            body: becomes JSON.
            model: whose absence a 404 means; None: 404 means another kind of server.

        Raises:
            AIFailure: there is none, or it breaks off within the block.
        """
        content = None if body is None else msgspec.json.encode(body)
        try:
            async with self._client.request(method, path, content) as connection:
                if connection.status != 200:
                    raise self._refused(connection.status, await Body(self, connection).start(_ERROR_BYTES), model)
                yield Body(self, connection)
        except HttpTrouble as error:
            match error.trouble:
                case Trouble.UNREACHABLE:
                    raise self.unavailable(f"can't be reached ({sentence(error.detail)})", Unreachable) from None
                case Trouble.CLOSED:
                    raise self.unavailable("closed the connection without an answer") from None
                case Trouble.NOT_HTTP:
                    raise self.broken("what it sends is not HTTP") from None
                case Trouble.BREAKS_OFF:
                    raise self.broken("its answer breaks off") from None

    def unavailable(self, what: str, kind: type[AIFailure] = AIFailure) -> AIFailure:
        """The server does not work."""
        return kind(f"the model server at {self.url} {what}", AIErrorCode.UNAVAILABLE)

    def broken(self, what: str) -> AIFailure:
        """The server's answer is not what it ought to be."""
        return AIFailure(f"the reply of the model server at {self.url} can't be used: {what}", AIErrorCode.BROKEN_REPLY)

    def not_its_api(self, what: str) -> AIFailure:
        """The same, for an answer of another shape."""
        return self.broken(f"{what} is not what {self._name}'s API says")

    def refused_in_words(self, error: Any) -> AIFailure:
        """An error that came instead of an answer."""
        return AIFailure(f"the model server refused: {said(error) or 'it does not say why'}", AIErrorCode.REFUSED)

    def missing(self, error: Any) -> AIFailure:
        """An error that came instead of an answer, because the model is not there."""
        return AIFailure(f"the model server does not have the model: {said(error)}", AIErrorCode.MODEL_NOT_FOUND)

    def _refused(self, status: int, data: bytes, model: str | None) -> AIFailure:
        # Who refuses a key likes to repeat it, and this goes to plugins and logs.
        words = "" if status in (401, 403) else error_of(data)
        saying = f": {words}" if words else ""
        if status == 404 and model is not None and (words or not data):
            return AIFailure(f"the model server does not have {model!r}{saying}", AIErrorCode.MODEL_NOT_FOUND)
        if status in (429, 503):
            return AIFailure(f"the model server is busy{saying}", AIErrorCode.BUSY, retry_after_seconds=1)
        if 300 <= status < 400:
            return self.broken(f"it redirects elsewhere, set {self._setting} to where the server itself is")
        if status >= 500:
            return self.unavailable(f"failed with HTTP {status}{saying}")
        if status == 404 or status < 400:
            return self.broken(f"HTTP {status} where {self._name}'s API answers, is this {self._name}?")
        code = AIErrorCode.NOT_SUPPORTED if "does not support" in words else AIErrorCode.REFUSED
        return AIFailure(f"the model server refused with HTTP {status}{saying}", code)


class Body:
    """The body of an answer."""

    def __init__(self, endpoint: Endpoint, connection: Connection) -> None:
        self._endpoint = endpoint
        self._connection = connection

    async def start(self, most_bytes: int) -> bytes:
        """The whole of it, or as much as asked for."""
        data = bytearray()
        while len(data) < most_bytes and (more := await self._connection.read()):
            data += more
        return bytes(data[:most_bytes])

    async def whole(self, most_bytes: int = MAX_REPLY_BYTES) -> bytes:
        """All of it.

        Raises:
            AIFailure: it is longer, or compressed.
        """
        self._check_coding()
        data = bytearray()
        while more := await self._connection.read():
            data += more
            if len(data) > most_bytes:
                raise self._endpoint.broken(f"its answer has more than {most_bytes:,} bytes")
        return bytes(data)

    async def decoded(self, kind: type[T], what: str, most_bytes: int = MAX_REPLY_BYTES) -> T:
        """All of it, as JSON of this shape; ``what`` says what it is where it is not."""
        try:
            return msgspec.json.decode(await self.whole(most_bytes), type=kind)
        except UNREADABLE:
            raise self._endpoint.not_its_api(what) from None

    def lines(self, most_bytes: int, line_bytes: int) -> "Lines":
        """It line by line.

        Raises:
            AIFailure: it is compressed.
        """
        self._check_coding()
        return Lines(self._endpoint, self._connection, most_bytes, line_bytes)

    async def finish(self) -> None:
        """Take its end, without which the connection can't be used again, if it comes at once."""
        with suppress(TimeoutError, HttpTrouble):
            async with asyncio.timeout(_END_SECONDS):
                await self._connection.read()

    def _check_coding(self) -> None:
        # Nothing was asked for compressed, and what is small on the wire may be large in memory.
        if self._connection.headers.get("content-encoding", "identity").lower() != "identity":
            raise self._endpoint.broken("its answer is compressed, which was not asked for")


class Lines:
    """The lines of a body, as they come."""

    def __init__(self, endpoint: Endpoint, connection: Connection, most_bytes: int, line_bytes: int) -> None:
        self._endpoint = endpoint
        self._connection = connection
        self._most_bytes = most_bytes
        self._line_bytes = line_bytes
        self._received = 0
        self._rest = b""

    async def next(self) -> list[bytes]:
        """All that have come since, without their ends; empty when there are no more. A last one without an end counts.

        Raises:
            AIFailure: the body or a line is longer than it may be.
        """
        while more := await self._connection.read():
            self._received += len(more)
            if self._received > self._most_bytes:
                raise self._endpoint.broken(f"its answer has more than {self._most_bytes:,} bytes")
            *lines, self._rest = (self._rest + more).split(b"\n")
            if len(self._rest) > self._line_bytes:
                raise self._endpoint.broken(f"its answer has a line of more than {self._line_bytes:,} bytes")
            if lines:
                return lines
        rest, self._rest = self._rest, b""
        return [rest] if rest else []
