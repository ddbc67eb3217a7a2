"""What /proc says of the processes that tests watch."""

import asyncio
import contextlib
import os
from pathlib import Path


def parent(pid: int) -> int:
    """Its parent's process id."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def alive(pid: int) -> bool:
    """Whether it runs; a zombie does not."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    return False


def children(pid: int) -> set[int]:
    """Its children, zombies among them."""
    found: set[int] = set()
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            found |= {int(child) for child in (task / "children").read_text().split()}
    return found


def descriptors() -> set[tuple[str, str]]:
    """Number and what it is of each descriptor that this process has open."""
    found = set()
    for number in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # the one that lists them
            found.add((number, os.readlink(f"/proc/self/fd/{number}")))
    return found


async def until_gone(*pids: int, seconds: float = 10) -> None:
    """Wait until none of them is there, not even as a zombie."""
    async with asyncio.timeout(seconds):
        while any(os.path.exists(f"/proc/{pid}") for pid in pids):  # noqa: ASYNC110
            await asyncio.sleep(0.001)


async def until_dead(*pids: int, seconds: float = 10) -> None:
    """Wait until none of them runs; an orphan may stay a zombie until the machine's first process gets to it."""
    async with asyncio.timeout(seconds):
        while any(alive(pid) for pid in pids):  # noqa: ASYNC110
            await asyncio.sleep(0.001)
