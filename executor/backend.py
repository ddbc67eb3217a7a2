"""Where sandbox processes come from, as the pool sees it: the little that every kind of sandbox has to offer."""

import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from executor.sandbox.world import Start


class BaseFailed(Exception):
    """Sandbox processes can't be had: their base did not boot or is gone; the message says why."""


@dataclass(frozen=True)
class Confinement:
    """What holds a sandbox process beside WebAssembly, as its base reports it."""

    layers: tuple[str, ...] = ()
    """Names of layers in force, see `executor.sandbox.confine`."""
    missing: dict[str, str] = field(default_factory=dict)
    """Names of layers that are not, each with the reason."""


class Process(Protocol):
    """A new sandbox process and our end of its socket (`executor.sandbox.frames`)."""

    @property
    def pid(self) -> int:
        """Its process id."""

    @property
    def connection(self) -> socket.socket:
        """Our end, not blocking."""

    def alive(self) -> bool:
        """Whether it runs, asked of the kernel."""

    def end(self) -> None:
        """SIGKILL; nothing if it has been ended."""


class Base(Protocol):
    """Makes sandbox processes."""

    @property
    def engine(self) -> Path:
        """What they run on."""

    @property
    def confinement(self) -> Confinement:
        """What holds them."""

    @property
    def birth(self) -> Start | None:
        """What their time and chance began from; None: what runs in them can't be put on tape."""

    @property
    def alive(self) -> bool:
        """Whether more can be had, and those that were had are well."""

    async def fork(self, memory_bytes: int) -> Process:
        """A new process, which waits for `executor.sandbox.frames.PREPARE` or `CHECK`.

        Args:
            memory_bytes: limit of what a plugin can use there; of linear memory, in whole pages of 64 KiB.

        Raises:
            BaseFailed: none can be had.
        """

    async def was_killed(self, pid: int) -> bool:
        """Whether a process that came from here, and is gone, ended by SIGKILL. False if that can't be known."""

    async def close(self) -> None:
        """End all of them."""


Boot = Callable[[Path, Path], Awaitable[Base]]
"""Makes a base: (folder of WasmEdge, engine) → base. Raises `BaseFailed`."""
