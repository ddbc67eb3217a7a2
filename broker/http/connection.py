"""One connection to a server: one request after the other, each answer as it comes."""

import asyncio
import enum

import httptools

MAX_HEAD_BYTES = 64 * 1024
_BUFFER_BYTES = 256 * 1024
"""Reading pauses while more than this waits to be taken."""


class Trouble(enum.Enum):
    """What can go wrong between two HTTP sides."""

    UNREACHABLE = "it can't be reached"
    CLOSED = "it closed the connection without an answer"
    NOT_HTTP = "what it sends is not HTTP"
    BREAKS_OFF = "its answer breaks off"


class HttpTrouble(Exception):
    """A request got no whole answer."""

    def __init__(self, trouble: Trouble, detail: str = "") -> None:
        super().__init__(detail or trouble.value)
        self.trouble = trouble
        self.detail = detail


class Connection(asyncio.Protocol):
    """Made by ``create_connection``; then ``begin``, ``head``, ``read`` until it returns nothing, and again."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._lost = False
        self._reset()

    def _reset(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._body: list[bytes] = []
        self._buffered = 0
        self._head_bytes = 0
        self._headed = self._interim = self._complete = self._spoiled = self._paused = False
        self._any = self._keep_alive = False
        self._trouble: HttpTrouble | None = None
        self.status = 0
        self.headers: dict[str, str] = {}

    @property
    def reusable(self) -> bool:
        """Whether another request may follow."""
        transport = self._transport
        return (
            self._complete
            and not (self._lost or self._spoiled or self._trouble)
            and transport is not None
            and not transport.is_closing()
            and self._keep_alive
        )

    @property
    def alive(self) -> bool:
        """Whether nothing has come and nothing has ended since the last answer."""
        return not (self._lost or self._spoiled) and self._transport is not None and not self._transport.is_closing()

    @property
    def answered(self) -> bool:
        """Whether any byte of an answer to the last request has come."""
        return self._any

    def begin(self, request: bytes) -> None:
        """Send a request."""
        self._reset()
        if self._transport is None or self._lost:
            self._fail(Trouble.CLOSED)
        else:
            self._transport.write(request)

    async def head(self) -> None:
        """Wait for status and headers.

        Raises:
            HttpTrouble: they don't come.
        """
        while not self._headed:
            self._raise()
            await self._changed()

    async def read(self) -> bytes:
        """The next bytes of the body, all that have come; empty at its end.

        Raises:
            HttpTrouble: the rest does not come.
        """
        while not self._body:
            if self._complete:
                return b""
            self._raise()
            await self._changed()
        data = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._body.clear()
        self._buffered = 0
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        return data

    def abort(self) -> None:
        """Close now; the server sees that nobody waits any more."""
        self._lost = True
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Of asyncio."""
        self._transport = transport  # type: ignore[assignment]  # uvloop has a class of its own

    def data_received(self, data: bytes) -> None:
        """Of asyncio."""
        self._any = True
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._fail(Trouble.BREAKS_OFF if self._headed else Trouble.NOT_HTTP)
            return
        if not self._headed:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._fail(Trouble.NOT_HTTP)
                return
        if self._buffered > _BUFFER_BYTES and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def connection_lost(self, error: Exception | None) -> None:
        """Of asyncio."""
        self._lost = True
        if self._headed and not self._complete and error is None and not self._framed():
            self._complete = True  # an answer that ends with its connection
        if not self._complete and self._trouble is None:
            self._trouble = HttpTrouble(Trouble.BREAKS_OFF if self._headed else Trouble.CLOSED)
        self._wake()

    def on_message_begin(self) -> None:
        """Of httptools."""
        if self._complete:
            self._spoiled = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """Of httptools."""
        if not self._headed and not self._spoiled:
            self.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """Of httptools."""
        if self._spoiled:
            return
        status = self._parser.get_status_code()
        if 100 <= status < 200:
            self._interim = True
            self.headers.clear()
        else:
            self.status, self._headed = status, True

    def on_body(self, data: bytes) -> None:
        """Of httptools."""
        if self._headed and not self._complete:
            self._body.append(data)
            self._buffered += len(data)

    def on_message_complete(self) -> None:
        """Of httptools."""
        if self._interim:
            self._interim = False
        elif self._headed:
            self._complete = True
            self._keep_alive = bool(self._parser.should_keep_alive())

    def _framed(self) -> bool:
        return "content-length" in self.headers or "transfer-encoding" in self.headers

    def _fail(self, trouble: Trouble) -> None:
        if self._trouble is None:
            self._trouble = HttpTrouble(trouble)
        self.abort()
        self._wake()

    def _raise(self) -> None:
        if self._trouble is not None:
            raise self._trouble

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _changed(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None
