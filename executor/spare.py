"""One sandbox process ahead of demand, so that the first call of a plugin does not wait for a fork.

It belongs to no plugin yet. It has run a stand-in for one and undone that (`executor.sandbox.frames.WARM`): so it holds
private copies of the pages that preparing a plugin writes to, each of which would cost a fault.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from executor.backend import BaseFailed, Process

P = TypeVar("P", bound=Process)


class Spare(Generic[P]):
    """Keeps one process.

    Args:
        make: makes one, or raises `BaseFailed`; then there is none for now.
    """

    def __init__(self, make: Callable[[], Awaitable[P]]) -> None:
        self._make = make
        self._kept: P | None = None
        self._making: asyncio.Task[None] | None = None

    def take(self) -> P | None:
        """The process, if there is one that runs; it is the caller's then, and another is made."""
        kept, self._kept = self._kept, None
        if kept is not None and not kept.alive():
            _end(kept)
            kept = None
        self.make_soon()
        return kept

    def make_soon(self) -> None:
        """See to it that there is one."""
        if self._kept is None and (self._making is None or self._making.done()):
            self._making = asyncio.create_task(self._keep_one())

    async def close(self) -> None:
        """Make no more and end the one that is kept."""
        if self._making is not None:
            self._making.cancel()
            await asyncio.wait((self._making,))
        if self._kept is not None:
            _end(self._kept)
            self._kept = None

    async def _keep_one(self) -> None:
        with contextlib.suppress(BaseFailed):
            self._kept = await self._make()


def _end(process: Process) -> None:
    process.connection.close()
    process.end()
