"""The sandbox processes of an executor: each serves one plugin revision and no other, ever.

    base process ──fork──► process, prepared for one revision ──► its calls, one at a time

A prepared process is kept while its plugin is called, within bounds; the least recently used go first. A better engine
or a dead base process means a new base, and what came from the old one is not leased again.
"""

import asyncio
from collections import OrderedDict
from pathlib import Path

from executor.backend import Boot, Confinement
from executor.base import BaseProcess
from executor.bases import Bases
from executor.sandboxes import Sandbox
from schemas.limits import Limits

IDLE_SECONDS = 60.0
"""How long an idle process is kept."""
MAX_CALLS = 10_000
"""After so many calls a process is replaced, fit or not: what nobody foresees stays no longer than this. Counted here,
where a guest that got out of its sandbox can't reach it."""
MAX_IDLE = 64
"""Idle processes of all plugins together."""


class Pool:
    """All sandbox processes of an executor.

    Args:
        boot: makes what they come from.
    """

    def __init__(self, wasmedge: Path, engine: Path, boot: Boot = BaseProcess.boot) -> None:
        self.confinement = Confinement()
        """Of the base process, as it was booted last by `use_engine`."""
        self._bases = Bases(wasmedge, engine, boot)
        self._idle: OrderedDict[Sandbox, float] = OrderedDict()
        """Idle processes and the loop time since when they are; what does not last first, then the longest idle."""
        self._idle_of: dict[str, list[Sandbox]] = {}
        """The same by digest, the most recently used last."""
        self._leased: set[Sandbox] = set()

    @property
    def engine(self) -> Path:
        """The engine that new processes get."""
        return self._bases.engine

    def lease_prepared(self, digest: str) -> Sandbox | None:
        """An idle process that was prepared for this revision, or None."""
        idle = self._idle_of.get(digest)
        while idle:
            sandbox = idle[-1]
            self._forget(sandbox)
            if self._of_use(sandbox) and sandbox.alive():
                self._leased.add(sandbox)
                return sandbox
            sandbox.kill()
        return None

    async def lease_new(self, memory_bytes: int = Limits().memory_bytes) -> Sandbox:
        """A process that serves nothing yet.

        Raises:
            BaseFailed: none can be had.
        """
        sandbox = await self._bases.fork(memory_bytes)
        self._leased.add(sandbox)
        return sandbox

    def give_back(self, sandbox: Sandbox, digest: str | None, *, lasting: bool = True) -> None:
        """The end of a lease.

        Args:
            digest: what it is prepared for; None: nothing, so it is of no more use.
            lasting: whether that will be called again; what will not is dropped before all that will.
        """
        self._leased.discard(sandbox)
        if digest is None or sandbox.calls >= MAX_CALLS or not self._of_use(sandbox):
            sandbox.kill()
            return
        sandbox.digest = digest
        self._idle[sandbox] = asyncio.get_running_loop().time()
        self._idle.move_to_end(sandbox, last=lasting)
        self._idle_of.setdefault(digest, []).append(sandbox)
        while len(self._idle) > MAX_IDLE:
            self._drop(next(iter(self._idle)))

    async def use_engine(self, engine: Path) -> None:
        """Move over to ``engine``: new calls get processes of it, running ones finish where they are.

        Raises:
            BaseFailed: nothing boots from it; the one in use stays.
        """
        self.confinement = (await self._bases.move(engine)).confinement
        for sandbox in list(self._idle):
            if not self._of_use(sandbox):
                self._drop(sandbox)

    async def tidy(self) -> None:
        """Give back processes that are idle for long, and base processes that nothing runs from; to be called often."""
        now = asyncio.get_running_loop().time()
        for sandbox, since in list(self._idle.items()):
            if now - since >= IDLE_SECONDS or not self._of_use(sandbox):
                self._drop(sandbox)
        await self._bases.close_unused({sandbox.base for sandbox in self._leased})

    async def close(self) -> None:
        """End every process."""
        for sandbox in [*self._leased, *self._idle]:
            sandbox.kill()
        self._idle.clear()
        self._idle_of.clear()
        await self._bases.close()

    def _of_use(self, sandbox: Sandbox) -> bool:
        return sandbox.fit and self._bases.is_current(sandbox)

    def _drop(self, sandbox: Sandbox) -> None:
        self._forget(sandbox)
        sandbox.kill()

    def _forget(self, sandbox: Sandbox) -> None:
        del self._idle[sandbox]
        of_digest = self._idle_of[sandbox.digest]
        of_digest.remove(sandbox)
        if not of_digest:
            del self._idle_of[sandbox.digest]
