"""Which calls an executor takes: as many as it has slots, a few more that wait, and the rest it passes on.

A full executor offers a call to the others first (`schemas.subjects.SPARE`, where only those with a free slot listen).
If none takes it, the call waits here, and if too many wait already it is refused at once.
"""

import asyncio
import logging
from types import TracebackType

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import ConnectionClosedError, NoRespondersError
from nats.errors import TimeoutError as NatsTimeoutError

from schemas import headers, subjects
from schemas.errors import Busy

log = logging.getLogger(__name__)

_OFFER_SECONDS = 1.0
_MAX_OFFERS = 5
TAKEN = b"taken"
"""Answer to an offer: the call is somebody else's now."""


class Admission:
    """Counts the calls that are here; `enter` and `wait` give a call its place, which ``with`` ends."""

    def __init__(self, nc: Client, slots: int, queue: int) -> None:
        self._nc = nc
        self._slots = slots
        self._queue = queue
        self._here = 0
        self.changed = asyncio.Event()
        """Set when the last free slot went or the first came back."""

    @property
    def free_slots(self) -> int:
        """How many more calls could run at once."""
        return max(0, self._slots - self._here)

    def enter(self) -> "Place | None":
        """A place with a free slot, or None."""
        return Place(self) if self._here < self._slots else None

    def wait(self) -> "Place":
        """A place in the queue.

        Raises:
            Busy: the queue is full.
        """
        if self._here >= self._slots + self._queue:
            raise Busy(
                f"every executor is busy: all {self._slots} sandboxes here run and {self._queue} calls wait; try again"
            )
        return Place(self)

    async def pass_on(self, plugin: str, msg: Msg, reply_to: str) -> bool:
        """Offer a call to the other executors; returns whether one took it."""
        offer = dict(msg.headers or {})
        offer[headers.REPLY_TO] = reply_to
        for _ in range(_MAX_OFFERS):
            try:
                answer = await self._nc.request(subjects.spare(plugin), msg.data, timeout=_OFFER_SECONDS, headers=offer)
            except NoRespondersError:
                return False
            except (NatsTimeoutError, TimeoutError, ConnectionClosedError):
                # It may have been taken: running it here too could run it twice, so it is left to that one.
                log.warning("a call of %s was offered to an executor, which did not say whether it took it", plugin)
                return True
            if answer.data == TAKEN:
                return True
            # It went to one that has just become full and not stopped listening yet, this one itself perhaps.
        return False

    def _came(self, count: int) -> None:
        had_room = self._here < self._slots
        self._here += count
        if had_room != (self._here < self._slots):
            self.changed.set()


class Place:
    """A call's place in an executor, until the end of its ``with``."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        admission._came(1)

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._admission._came(-1)
