"""The sandbox processes of an executor: each serves one plugin revision and no other, ever.

    base process, one for each memory limit ──fork──► process, prepared for one revision ──► its calls, one at a time

A prepared process is kept while its plugin is called, within bounds; the least recently used go first. A better engine
or a dead base process means a new base, and what came from the old one is not leased again.
"""

import asyncio
import logging
from collections import OrderedDict
from pathlib import Path

from executor.base import BaseFailed, BaseProcess, Confinement
from executor.sandboxes import Sandbox
from schemas.limits import MIB, Limits

log = logging.getLogger(__name__)

IDLE_SECONDS = 60.0
"""How long an idle process is kept."""
MAX_IDLE = 64
"""Idle processes of all plugins together."""


def memory_class(memory_bytes: int) -> int:
    """The limit that is really set: the next power of two, so that there are few base processes."""
    size = 64 * MIB
    while size < memory_bytes:
        size *= 2
    return size


class _Bases:
    """The base process of one memory limit: booted when needed, replaced when dead or of another engine."""

    def __init__(self, wasmedge: Path, memory_bytes: int) -> None:
        self._wasmedge = wasmedge
        self._memory_bytes = memory_bytes
        self._old: list[BaseProcess] = []
        self._booting = asyncio.Lock()
        self.current: BaseProcess | None = None

    async def ready(self, engine: Path) -> BaseProcess:
        """A base process of ``engine``.

        Raises:
            BaseFailed: none boots.
        """
        async with self._booting:
            base = self.current
            if base is not None and base.alive and base.engine == engine:
                return base
            if base is not None and not base.alive:
                log.warning("the base process ended, a new one boots")
            new = await BaseProcess.boot(self._wasmedge, engine, self._memory_bytes)
            if base is not None:
                self._old.append(base)
            self.current = new
            return new

    async def close_unused(self, used: set[BaseProcess]) -> None:
        """Close replaced base processes that nothing runs from any more."""
        for base in [old for old in self._old if old not in used]:
            self._old.remove(base)
            await base.close()

    async def close(self) -> None:
        """Close all of them, and with them everything that was forked from them."""
        if self.current is not None:
            self._old.append(self.current)
        self.current = None
        await self.close_unused(set())


class Pool:
    """All sandbox processes of an executor."""

    def __init__(self, wasmedge: Path, engine: Path) -> None:
        self.confinement = Confinement()
        """Of the base process that was booted last for the usual memory limit."""
        self._wasmedge = wasmedge
        self._engine = engine
        self._bases: dict[int, _Bases] = {}
        self._idle: OrderedDict[Sandbox, float] = OrderedDict()
        """Idle processes, the longest idle first, with the loop time since when they are."""
        self._idle_of: dict[str, list[Sandbox]] = {}
        """The same by digest, the most recently used last."""
        self._leased: set[Sandbox] = set()

    @property
    def engine(self) -> Path:
        """The engine that new processes get."""
        return self._engine

    def lease_prepared(self, digest: str) -> Sandbox | None:
        """An idle process that was prepared for this revision, or None."""
        idle = self._idle_of.get(digest)
        while idle:
            sandbox = idle.pop()
            del self._idle[sandbox]
            if not idle:
                del self._idle_of[digest]
            if sandbox.fit and sandbox.base.engine == self._engine and sandbox.base.alive:
                self._leased.add(sandbox)
                return sandbox
            sandbox.kill()
        return None

    async def lease_new(self, memory_bytes: int = Limits().memory_bytes) -> Sandbox:
        """A process that serves nothing yet.

        Raises:
            BaseFailed: none can be had.
        """
        size = memory_class(memory_bytes)
        bases = self._bases.get(size)
        if bases is None:
            bases = self._bases[size] = _Bases(self._wasmedge, size)
        try:
            sandbox = await Sandbox.start(await bases.ready(self._engine))
        except BaseFailed:
            # The base may have died a moment ago; a new one is tried once.
            sandbox = await Sandbox.start(await bases.ready(self._engine))
        self._leased.add(sandbox)
        return sandbox

    def give_back(self, sandbox: Sandbox, digest: str | None) -> None:
        """The end of a lease. ``digest``: what it is prepared for; None: nothing, so it is of no more use."""
        self._leased.discard(sandbox)
        if digest is None or not sandbox.fit or sandbox.base.engine != self._engine:
            sandbox.kill()
            return
        self._idle[sandbox] = asyncio.get_running_loop().time()
        self._idle_of.setdefault(digest, []).append(sandbox)
        sandbox.digest = digest
        while len(self._idle) > MAX_IDLE:
            self._drop(next(iter(self._idle)))

    async def use_engine(self, engine: Path) -> None:
        """Move over to ``engine``: new calls get processes of it, running ones finish where they are.

        Raises:
            BaseFailed: nothing boots from it; the one in use stays.
        """
        size = memory_class(Limits().memory_bytes)
        bases = self._bases.setdefault(size, _Bases(self._wasmedge, size))
        base = await bases.ready(engine)
        (await Sandbox.start(base)).kill()
        self.confinement = base.confinement
        self._engine = engine
        for sandbox in [idle for idle in self._idle if idle.base.engine != engine]:
            self._drop(sandbox)

    async def tidy(self) -> None:
        """Give back processes that are idle for long, and base processes that nothing runs from; to be called often."""
        now = asyncio.get_running_loop().time()
        for sandbox, since in list(self._idle.items()):
            if now - since >= IDLE_SECONDS or not sandbox.fit:
                self._drop(sandbox)
        used = {sandbox.base for sandbox in self._leased}
        for bases in list(self._bases.values()):
            await bases.close_unused(used)

    async def close(self) -> None:
        """End every process."""
        for sandbox in [*self._leased, *self._idle]:
            sandbox.kill()
        self._idle.clear()
        self._idle_of.clear()
        for bases in self._bases.values():
            await bases.close()
        self._bases.clear()

    def _drop(self, sandbox: Sandbox) -> None:
        del self._idle[sandbox]
        of_digest = self._idle_of[sandbox.digest]
        of_digest.remove(sandbox)
        if not of_digest:
            del self._idle_of[sandbox.digest]
        sandbox.kill()
