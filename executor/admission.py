"""Which calls an executor takes: as many as it has slots, a few more that wait, and the rest it passes on.

A slot is the right to compute. A call that waits for a model gives its slot back meanwhile and holds only memory, so
many more calls can be here than run. A turn is the right to begin: most calls last a millisecond, and a core does
sixteen of them faster one after the other than all at once; a call gives its turn up when it is no longer short.

A full executor offers a call to the others first (`schemas.subjects.SPARE`, where only those with a free slot listen).
If none takes it, the call waits here; if too many wait, it is refused at once.
"""

import asyncio
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import TracebackType

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import ConnectionClosedError, NoRespondersError
from nats.errors import TimeoutError as NatsTimeoutError

from schemas import headers, subjects
from schemas.errors import Busy

log = logging.getLogger(__name__)

_OFFER_SECONDS = 1.0
_SHORT_SECONDS = 0.02
_MAX_OFFERS = 5
TAKEN = b"taken"
"""Answer to an offer: the call is somebody else's now."""


class Admission:
    """Counts the calls that are here.

    Args:
        slots: calls that compute at once.
        queue: calls that may wait for a slot.
        outside: calls that may wait for something outside (a model) at once without holding a slot.
    """

    def __init__(self, nc: Client, slots: int, queue: int, outside: int) -> None:
        self._nc = nc
        self._slots = slots
        self._queue = queue
        self._max_outside = outside
        self._outside = 0
        self._inside = 0
        self._free = asyncio.Semaphore(slots)
        self._turns = asyncio.Semaphore(_cores())
        self.changed = asyncio.Event()
        """Set when the last free slot went or the first came back."""

    @property
    def free_slots(self) -> int:
        """How many more calls could compute at once."""
        return max(0, self._slots - self._inside)

    def enter(self) -> "Place | None":
        """A place with a free slot, or None."""
        return Place(self) if self.free_slots else None

    def wait(self) -> "Place":
        """A place in the queue.

        Raises:
            Busy: the queue is full.
        """
        if self._inside >= self._slots + self._queue:
            raise Busy(
                f"every executor is busy: {self._slots} calls run here and {self._inside - self._slots} wait; try again"
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

    def _count(self, change: int) -> None:
        had_room = self.free_slots > 0
        self._inside += change
        if had_room != (self.free_slots > 0):
            self.changed.set()


def _cores() -> int:
    """How many this process may use; not every system tells more than how many there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Place:
    """A call's place in an executor, until the end of its ``with``."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._has_slot = False
        self._turn_ends: asyncio.TimerHandle | None = None
        admission._count(1)

    def __enter__(self) -> "Place":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.give_slot()
        self._admission._count(-1)

    async def take_slot(self) -> None:
        """Wait until the call may compute."""
        await self._admission._free.acquire()
        self._has_slot = True
        await self._admission._turns.acquire()
        self._turn_ends = asyncio.get_running_loop().call_later(_SHORT_SECONDS, self._give_turn)

    def give_slot(self) -> None:
        """Give it back before the end: nothing more is computed. Does nothing if there is none."""
        self._give_turn()
        if self._has_slot:
            self._has_slot = False
            self._admission._free.release()

    @asynccontextmanager
    async def outside(self) -> AsyncIterator[None]:
        """Hold no slot while waiting for something outside; at the end one is waited for again.

        With too many calls outside already, the slot is kept.
        """
        admission = self._admission
        if not self._has_slot or admission._outside >= admission._max_outside:
            yield
            return
        admission._outside += 1
        self.give_slot()
        admission._count(-1)
        goes_on = True
        try:
            yield
        except asyncio.CancelledError:
            goes_on = False
            raise
        finally:
            admission._outside -= 1
            admission._count(1)
            # Also after an error: the plugin hears of it and computes again.
            if goes_on:
                await self.take_slot()

    def _give_turn(self) -> None:
        if self._turn_ends is not None:
            self._turn_ends.cancel()
            self._turn_ends = None
            self._admission._turns.release()
