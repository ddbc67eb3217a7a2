"""Answers that will do again: of equal requests of one plugin one is asked, the others wait for its answer.

Opt-in, and only for requests whose equals have equal answers (temperature 0 or a fixed seed). A plugin never sees what
another one was answered, not even by how long it takes.
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast

import msgspec

from broker.ticket import Ticket
from schemas.errors import AIErrorCode, AIFailure
from schemas.names import DRAFT

T = TypeVar("T")

_COMMON = {
    AIErrorCode.MODEL_NOT_FOUND,
    AIErrorCode.REFUSED,
    AIErrorCode.BROKEN_REPLY,
    AIErrorCode.FORMAT_MISMATCH,
    AIErrorCode.NOT_SUPPORTED,
}
"""Failures that whoever waits would meet too. Others, a time that is up or a budget, are those of one request."""

_ENTRY_BYTES = 500
"""What an entry takes beside its answer."""


@dataclass(frozen=True, slots=True)
class Kept(Generic[T]):
    """An answer."""

    value: T
    cached: bool
    """Whether another request had it made."""


@dataclass(slots=True)
class _Entry:
    value: Any
    size_bytes: int
    until: float


class _YourTurn(Exception):
    """Whoever asked has gone or failed on its own account; the next one asks."""


@dataclass(slots=True)
class _Flight:
    """A request that is being answered, and those that wait for its answer, in their order."""

    waiting: dict[asyncio.Future[Any], None] = field(default_factory=dict)

    def end(self, value: Any) -> None:
        for waiting in self.waiting:
            if not waiting.done():
                waiting.set_result(value)

    def fail(self, error: BaseException) -> None:
        for waiting in self.waiting:
            if waiting.done():
                continue
            if isinstance(error, AIFailure) and error.code in _COMMON:
                waiting.set_exception(AIFailure(error.message, error.code, retry_after_ms=error.retry_after_ms))
            else:
                # All of them: the first to run asks, the others find it asking.
                waiting.set_exception(_YourTurn())


def key_of(ticket: Ticket, request: msgspec.Struct) -> str:
    """Equal for requests of one plugin, or of one run of a draft, that ask for the same."""
    content = msgspec.json.encode(request, order="deterministic")
    # All drafts have one name, and may be anybody's.
    whose = f"{DRAFT}\n{ticket.execution_id}" if ticket.plugin == DRAFT else ticket.plugin
    head = f"{whose}\n{ticket.operation}\n{ticket.target}\n".encode()
    return hashlib.sha256(head + content).hexdigest()


class Cache:
    """Answers by key, bounded in bytes and age, the least recently used forgotten first. Of one event loop.

    Args:
        max_bytes: of all answers together; an answer of more than an eighth of it is not kept.
        max_age_seconds: an older answer will not do.
        clock: seconds; the event loop's unless a test says otherwise.
    """

    def __init__(self, max_bytes: int, max_age_seconds: float, clock: Callable[[], float] | None = None) -> None:
        self._max_bytes = max_bytes
        self._max_age_seconds = max_age_seconds
        self._clock = clock or asyncio.get_running_loop().time
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._flights: dict[str, _Flight] = {}
        self.bytes = 0
        """Of what is kept."""

    def __len__(self) -> int:
        return len(self._entries)

    async def answer(self, key: str, ask: Callable[[], Awaitable[T]], size_bytes: Callable[[T], int | None]) -> Kept[T]:
        """The answer that is kept, or that another request is getting, or else the one that ``ask`` gets.

        If who asks is cancelled, or fails for a reason of its own, the next of those who wait asks. Failures are not
        kept; those that would meet everybody reach everybody who waits.

        Args:
            key: of the request.
            ask: gets an answer.
            size_bytes: of an answer; None: it will do for nobody else.

        Raises:
            whatever ``ask`` raises.
        """
        while True:
            entry = self._entries.get(key)
            if entry is not None:
                if entry.until > self._clock():
                    self._entries.move_to_end(key)
                    return Kept(cast(T, entry.value), cached=True)
                self._forget(key)
            flight = self._flights.get(key)
            if flight is None:
                return await self._lead(key, ask, size_bytes)
            try:
                return Kept(cast(T, await self._follow(flight)), cached=True)
            except _YourTurn:
                continue

    async def _follow(self, flight: _Flight) -> Any:
        answered: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        flight.waiting[answered] = None
        try:
            return await answered
        except asyncio.CancelledError:
            if answered.done() and not answered.cancelled():
                answered.exception()  # nobody will ask for it any more, which asyncio would complain of
            raise
        finally:
            flight.waiting.pop(answered, None)

    async def _lead(self, key: str, ask: Callable[[], Awaitable[T]], size_bytes: Callable[[T], int | None]) -> Kept[T]:
        flight = self._flights[key] = _Flight()
        try:
            value = await ask()
            size = size_bytes(value)
        except BaseException as error:
            del self._flights[key]
            flight.fail(error)
            raise
        del self._flights[key]
        if size is None:
            flight.fail(_YourTurn())
            return Kept(value, cached=False)
        self._keep(key, value, size)
        flight.end(value)
        return Kept(value, cached=False)

    def _keep(self, key: str, value: Any, size_bytes: int) -> None:
        size_bytes += _ENTRY_BYTES
        if size_bytes * 8 > self._max_bytes:
            return
        self._entries[key] = _Entry(value, size_bytes, self._clock() + self._max_age_seconds)
        self.bytes += size_bytes
        while self.bytes > self._max_bytes:
            self._forget(next(iter(self._entries)))

    def _forget(self, key: str) -> None:
        self.bytes -= self._entries.pop(key).size_bytes
