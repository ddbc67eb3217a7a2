"""Who may use the model now, who waits, who is sent away, and when all is over."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from deploy.modelserver.errors import ServerBusy


class Admission:
    """A bounded number of slots with a bounded queue before them, first come, first served."""

    def __init__(self, slots: int, queued: int) -> None:
        self._free = asyncio.Semaphore(slots)
        self._queued = queued
        self._waiting = 0
        self._closing = asyncio.Event()

    def close(self) -> None:
        """Whatever still waits or runs is to break off."""
        self._closing.set()

    async def closing(self) -> None:
        """Return once `close` was called."""
        await self._closing.wait()

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Hold a slot for the length of the block, after waiting for it if need be.

        Raises:
            ServerBusy: too many wait already.
        """
        if self._free.locked() and self._waiting >= self._queued:
            raise ServerBusy
        self._waiting += 1
        try:
            await self._free.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._free.release()
