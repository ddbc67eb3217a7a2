"""No other process of its user can look into an executor, whatever connection and memory it holds."""

import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from deploy.local.nats import NatsServer
from deploy.places import PROJECT
from tests.executor.cluster import Cluster, cluster, executor
from tests.executor.conftest import Engine

_AS_ANYBODY = """import ctypes, os, sys
from executor.sandbox.confine import Confinement
Confinement()._drop_capabilities()
"""
"""Root's capabilities alone would keep others off."""
_BECOME = _AS_ANYBODY + "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
_TRACE = (
    _AS_ANYBODY
    + """libc = ctypes.CDLL(None)
libc.ptrace.restype = ctypes.c_long
PTRACE_SEIZE = 0x4206
for pid in sys.argv[1:]:
    print(libc.ptrace(ctypes.c_long(PTRACE_SEIZE), ctypes.c_int(int(pid)), ctypes.c_void_p(), ctypes.c_void_p()))
"""
)
"""It does not stop what it gets hold of."""


@pytest.fixture
async def here(folder: Path) -> AsyncIterator[Cluster]:
    """NATS without an executor."""
    async with NatsServer(folder / "nats").run() as server, cluster(server.url) as made:
        yield made


@pytest.fixture
def anybody() -> Iterator[int]:
    """A process that takes no care."""
    with subprocess.Popen(
        [sys.executable, "-c", _BECOME, "-c", "print(flush=True); input()"],
        cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == b"\n"
        yield process.pid
        process.communicate(b"\n")


def _trace(*pids: int) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", _TRACE, *map(str, pids)],
        cwd=PROJECT, capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    return done.stdout.split()


async def test_a_running_executor_is_not_traced(here: Cluster, engine: Engine, folder: Path, anybody: int) -> None:
    program = (sys.executable, "-c", _BECOME, "-m", "executor")
    async with executor(here.url, engine, folder, program=program) as running:
        of_anybody, of_the_executor = _trace(anybody, running.pid)
        if of_anybody != "0":
            pytest.skip("this kernel lets nobody trace what is not its child (Yama)")
        assert of_the_executor == "-1"
