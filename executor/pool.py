"""The sandbox processes of an executor: warm ones are used again, new ones forked when needed, none beyond the slots.

A process is leased to one call at a time. Processes of one memory limit come from one base process; a better engine
or a dead base process means a new base, and what came from the old one is not leased again.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from executor.base import BaseFailed, BaseProcess
from executor.sandboxes import Sandbox
from schemas.limits import MIB, Limits

log = logging.getLogger(__name__)

IDLE_SECONDS = 60.0
"""How long an idle process is kept."""


def memory_class(memory_bytes: int) -> int:
    """The limit that is really set: the next power of two, so that there are few base processes."""
    size = 64 * MIB
    while size < memory_bytes:
        size *= 2
    return size


class Family:
    """All sandbox processes of one memory limit, with the base process they come from.

    ``engine`` may be set at any time; the next lease boots from it.
    """

    def __init__(self, wasmedge: Path, engine: Path, memory_bytes: int) -> None:
        self.engine = engine
        self._wasmedge = wasmedge
        self._memory_bytes = memory_bytes
        self._base: BaseProcess | None = None
        self._old: list[BaseProcess] = []
        self._idle: list[tuple[float, Sandbox]] = []
        self._leased: set[Sandbox] = set()
        self._booting: asyncio.Task[BaseProcess] | None = None

    async def lease(self) -> Sandbox:
        """A process that takes a call now.

        Raises:
            BaseFailed: no process can be had.
        """
        while self._idle:
            _, sandbox = self._idle.pop()
            of_use = sandbox.base is self._base and sandbox.base.engine == self.engine
            if of_use and sandbox.fit and sandbox.alive():
                self._leased.add(sandbox)
                return sandbox
            sandbox.kill()
        try:
            sandbox = await Sandbox.start(await self._ready_base())
        except BaseFailed:
            # The base may have died a moment ago; a new one is tried once.
            sandbox = await Sandbox.start(await self._ready_base())
        self._leased.add(sandbox)
        return sandbox

    def give_back(self, sandbox: Sandbox) -> None:
        """The end of a lease."""
        self._leased.discard(sandbox)
        if sandbox.fit and sandbox.base is self._base:
            self._idle.append((asyncio.get_running_loop().time(), sandbox))
        else:
            sandbox.kill()

    async def move(self, engine: Path) -> None:
        """Boot from ``engine`` beside what is in use, and then use it, so that no call waits for that.

        Raises:
            BaseFailed: nothing boots from it; all stays as it was.
        """
        self._use(await BaseProcess.boot(self._wasmedge, engine, self._memory_bytes))
        self.engine = engine
        self.give_back(await self.lease())

    async def tidy(self) -> None:
        """Give back processes that are idle for long, and base processes that nothing runs from any more."""
        now = asyncio.get_running_loop().time()
        keep = []
        for since, sandbox in self._idle:
            # The most recent one stays, for the next call after a quiet time.
            if sandbox.fit and (now - since < IDLE_SECONDS or sandbox is self._idle[-1][1]):
                keep.append((since, sandbox))
            else:
                sandbox.kill()
        self._idle = keep
        busy = {sandbox.base for sandbox in self._leased}
        for base in [old for old in self._old if old not in busy]:
            self._old.remove(base)
            await base.close()

    async def close(self) -> None:
        """End every process."""
        if self._booting is not None:
            self._booting.cancel()
            await asyncio.wait((self._booting,))
        for sandbox in [*self._leased, *(sandbox for _, sandbox in self._idle)]:
            sandbox.kill()
        self._idle.clear()
        bases = [*self._old, *([self._base] if self._base is not None else [])]
        self._old, self._base = [], None
        for base in bases:
            await base.close()

    async def _ready_base(self) -> BaseProcess:
        base = self._base
        if base is not None and base.alive and base.engine == self.engine:
            return base
        if self._booting is None or self._booting.done():
            self._booting = asyncio.create_task(self._boot())
        # Shielded: calls with less time than a boot takes would begin it anew for ever.
        return await asyncio.shield(self._booting)

    async def _boot(self) -> BaseProcess:
        if self._base is not None and not self._base.alive:
            log.warning("the base process ended, a new one boots")
        base = await BaseProcess.boot(self._wasmedge, self.engine, self._memory_bytes)
        self._use(base)
        return base

    def _use(self, base: BaseProcess) -> None:
        if self._base is not None:
            self._old.append(self._base)
        self._base = base


class Pool:
    """All sandbox processes of an executor, at most ``slots`` at work at once."""

    def __init__(self, wasmedge: Path, engine: Path, slots: int) -> None:
        self._wasmedge = wasmedge
        self._engine = engine
        self._slots = asyncio.Semaphore(slots)
        self._families: dict[int, Family] = {}

    @asynccontextmanager
    async def lease(self, memory_bytes: int = Limits().memory_bytes) -> AsyncIterator[Sandbox]:
        """A sandbox process for one call; waits for a slot.

        Raises:
            BaseFailed: no process can be had.
        """
        async with self._slots:
            family = self._family(memory_class(memory_bytes))
            sandbox = await family.lease()
            try:
                yield sandbox
            finally:
                family.give_back(sandbox)

    async def use_engine(self, engine: Path) -> None:
        """Move over to ``engine``: new calls get processes of it, running ones finish where they are.

        Raises:
            BaseFailed: nothing boots from it; the one in use stays.
        """
        await self._family(memory_class(Limits().memory_bytes)).move(engine)
        self._engine = engine
        for family in self._families.values():
            family.engine = engine

    async def tidy(self) -> None:
        """Give back what is idle; to be called now and then."""
        for family in list(self._families.values()):
            await family.tidy()

    async def close(self) -> None:
        """End every process."""
        for family in self._families.values():
            await family.close()
        self._families.clear()

    @property
    def engine(self) -> Path:
        """The engine that new calls get."""
        return self._engine

    def _family(self, memory_bytes: int) -> Family:
        family = self._families.get(memory_bytes)
        if family is None:
            family = self._families[memory_bytes] = Family(self._wasmedge, self._engine, memory_bytes)
        return family
