"""Which models the server has, remembered for a moment and asked for aside of all calls."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from broker.ollama import Ollama
from schemas.errors import AIFailure

FRESH_SECONDS = 2.0
"""For so long a list of models is taken as it is."""

FAILURE_FRESH_SECONDS = 0.2
"""The same for a failure; shorter, so that a server that comes back is seen at once."""

PATIENCE_SECONDS = 0.5
"""For so long a caller waits for a newer answer."""

CHECK_SECONDS = 5.0
"""For so long the server may take to answer a check."""


@dataclass(frozen=True, slots=True)
class Found:
    """What the last check found."""

    models: list[str] = field(default_factory=list)
    error: str | None = "the model server has not been asked yet"


class Availability:
    """Asks the server when somebody wants to know, one check at a time. Made by `watched`."""

    def __init__(self, ollama: Ollama) -> None:
        self._ollama = ollama
        self._found = Found()
        self._checked_at = float("-inf")
        self._check: asyncio.Task[None] | None = None

    async def current(self) -> Found:
        """What is known, at most a second after it was asked for, whatever the server does."""
        fresh_seconds = FRESH_SECONDS if self._found.error is None else FAILURE_FRESH_SECONDS
        if time.monotonic() - self._checked_at > fresh_seconds:
            if self._check is None or self._check.done():
                self._check = asyncio.create_task(self._ask())
            done, _ = await asyncio.wait((self._check,), timeout=PATIENCE_SECONDS)
            if not done:
                return Found(error=f"the model server at {self._ollama.url} does not answer")
        return self._found

    async def close(self) -> None:
        """Give up a running check."""
        if self._check is not None:
            self._check.cancel()
            with suppress(asyncio.CancelledError):
                await self._check

    async def _ask(self) -> None:
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                self._found = Found(await self._ollama.list_models(), None)
        except AIFailure as error:
            self._found = Found(error=error.message)
        except TimeoutError:
            self._found = Found(error=f"the model server at {self._ollama.url} does not answer")
        self._checked_at = time.monotonic()


@asynccontextmanager
async def watched(ollama: Ollama) -> AsyncIterator[Availability]:
    """An `Availability` whose checks end with the block."""
    availability = Availability(ollama)
    try:
        yield availability
    finally:
        await availability.close()
