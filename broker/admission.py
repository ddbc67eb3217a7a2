"""How many calls the model server gets at once, who waits, and who is refused."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from schemas.errors import AIErrorCode, AIFailure


class Admission:
    """A bounded number of calls with a bounded queue before them, first come, first served."""

    def __init__(self, parallel: int, queued: int) -> None:
        self._free = asyncio.Semaphore(parallel)
        self._queued = queued
        self._waiting = 0

    @asynccontextmanager
    async def admitted(self) -> AsyncIterator[None]:
        """Hold a place for the length of the block, after waiting for it if need be.

        Raises:
            AIFailure: ``busy``, too many wait already.
        """
        if self._free.locked() and self._waiting >= self._queued:
            raise AIFailure(
                f"the model server is busy and {self._waiting} calls wait for it already, try again",
                AIErrorCode.BUSY,
                retry_after_seconds=1,
            )
        self._waiting += 1
        try:
            await self._free.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._free.release()
