"""Reading request bodies: a limit checked before and while reading, and a bound for all together.

The deadline is `gateway.protocol`'s.
"""

from types import TracebackType

from starlette.types import Receive, Scope

from schemas.errors import Busy, TooLarge

BUFFERED_BYTES = 256 * 1024 * 1024
"""Bodies that one gateway holds at once, all requests together."""

_SMALL_BYTES = 64 * 1024


class ClientGone(Exception):
    """The client went away before it had sent the whole body."""


class Budget:
    """Memory that request bodies may take, all together."""

    def __init__(self, total_bytes: int = BUFFERED_BYTES) -> None:
        self._left = total_bytes

    def share(self) -> "Share":
        """A request's part, given back at the end of the ``with`` block."""
        return Share(self)

    def take(self, size_bytes: int) -> None:
        """Raises `Busy` if there is not enough left."""
        if size_bytes > self._left:
            raise Busy("this gateway holds too many large request bodies, try again")
        self._left -= size_bytes

    def give_back(self, size_bytes: int) -> None:
        """What `take` took."""
        self._left += size_bytes


class Share:
    """What one request took of the budget. Small bodies are not counted."""

    __slots__ = ("_budget", "_taken")

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._taken = 0

    def __enter__(self) -> "Share":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._taken:
            self._budget.give_back(self._taken)

    def hold(self, size_bytes: int) -> None:
        """Have at least ``size_bytes``.

        Raises:
            Busy: there is not enough left.
        """
        if size_bytes > _SMALL_BYTES and size_bytes > self._taken:
            self._budget.take(size_bytes - self._taken)
            self._taken = size_bytes


def declared_length(scope: Scope) -> int | None:
    """The request's ``Content-Length``, if it has one."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() and len(value) < 19 else None
    return None


async def read_body(scope: Scope, receive: Receive, share: Share, limit_bytes: int, what: str) -> bytes:
    """The whole body.

    Raises:
        TooLarge: over the limit; if the client said so beforehand, nothing was read.
        ClientGone: the client went away, or was too slow; nobody is there to be answered.
        Busy: too many large bodies at once.
    """
    length = declared_length(scope)
    if length is not None and length > limit_bytes:
        raise TooLarge(what, size_bytes=length, limit_bytes=limit_bytes)
    if length is not None:
        share.hold(length)
    chunks: list[bytes] = []
    size = 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk = message.get("body", b"")
        more = message.get("more_body", False)
        size += len(chunk)
        if size > limit_bytes:
            raise TooLarge(what, size_bytes=None, limit_bytes=limit_bytes)
        share.hold(size)
        chunks.append(chunk)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)
