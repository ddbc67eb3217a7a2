"""The base process: booted when needed, replaced when it died or a better engine is there."""

import asyncio
import logging
from pathlib import Path

from executor.backend import Base, BaseFailed, Boot
from executor.sandboxes import Sandbox

log = logging.getLogger(__name__)


class Bases:
    """The current base process, and earlier ones that something still runs from.

    ``engine`` may be set at any time; the next fork boots from it.
    """

    def __init__(self, wasmedge: Path, engine: Path, boot: Boot) -> None:
        self.engine = engine
        self._boot_base = boot
        self._wasmedge = wasmedge
        self._current: Base | None = None
        self._old: list[Base] = []
        self._booting: asyncio.Task[Base] | None = None

    async def fork(self, memory_bytes: int) -> Sandbox:
        """A new sandbox process with this limit of linear memory.

        Raises:
            BaseFailed: no process can be had.
        """
        try:
            return await Sandbox.start(await self._ready(), memory_bytes)
        except BaseFailed:
            # The base may have died a moment ago; a new one is tried once.
            return await Sandbox.start(await self._ready(), memory_bytes)

    async def move(self, engine: Path) -> Base:
        """Boot from ``engine`` beside what is in use, and then use it, so that no call waits for that.

        Raises:
            BaseFailed: nothing boots from it; all stays as it was.
        """
        base = await self._boot_base(self._wasmedge, engine)
        self._use(base)
        self.engine = engine
        return base

    def is_current(self, sandbox: Sandbox) -> bool:
        """Whether a process comes from the base process that is in use now."""
        return sandbox.base is self._current and sandbox.base.engine == self.engine

    async def close_unused(self, used: set[Base]) -> None:
        """Close replaced base processes that nothing runs from any more."""
        for base in [old for old in self._old if old not in used]:
            self._old.remove(base)
            await base.close()

    async def close(self) -> None:
        """Close all of them, and with them everything that was forked from them."""
        if self._booting is not None:
            self._booting.cancel()
            await asyncio.wait((self._booting,))
        if self._current is not None:
            self._old.append(self._current)
        self._current = None
        await self.close_unused(set())

    async def _ready(self) -> Base:
        base = self._current
        if base is not None and base.alive and base.engine == self.engine:
            return base
        if self._booting is None or self._booting.done():
            self._booting = asyncio.create_task(self._boot())
        # Shielded: calls with less time than a boot takes would begin it anew for ever.
        return await asyncio.shield(self._booting)

    async def _boot(self) -> Base:
        if self._current is not None and not self._current.alive:
            log.warning("the base process ended, a new one boots")
        base = await self._boot_base(self._wasmedge, self.engine)
        self._use(base)
        return base

    def _use(self, base: Base) -> None:
        if self._current is not None:
            self._old.append(self._current)
        self._current = base
