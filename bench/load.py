"""The load generator as a process of its own, told slice by slice what to do."""

import contextlib
from collections.abc import AsyncIterator

from bench.http_client import Measured, Slice
from bench.worker import Worker, worker

_GRACE_SECONDS = 60.0


class LoadGenerator:
    """`bench.http_client`, running."""

    def __init__(self, running: Worker) -> None:
        self._worker = running

    async def measure(self, asked: Slice) -> Measured:
        """Some seconds of load."""
        return await self._worker.ask(asked, Measured, asked.seconds + _GRACE_SECONDS)


@contextlib.asynccontextmanager
async def load_generator() -> AsyncIterator[LoadGenerator]:
    """One for the length of the block."""
    async with worker("bench.http_client") as running:
        yield LoadGenerator(running)
