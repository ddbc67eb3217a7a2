"""Processes that a plugin could be run by, started one for each call; and what running ones cost in CPU time."""

import asyncio
import os
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from bench.in_executor import Wrong
from executor.engine.launch import launcher

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def plain_python(source: str) -> list[str]:
    """The cheapest way to start a native Python: no site, no environment. No sandbox."""
    # The program itself: what stands first in PATH may be a script that looks for one.
    return [os.path.realpath(sys.executable), "-I", "-S", "-c", source]


def original_way(wasmedge: Path, engine: Path, source: str) -> list[str]:
    """WasmEdge started for one call, by a small script in place of its command line."""
    script = Path(__file__).with_name("original_way.py")
    return [*launcher(wasmedge), "-I", "-S", str(script), str(engine), source]


def only_the_script(wasmedge: Path) -> list[str]:
    """What of `original_way` is its script's own start and not WasmEdge's."""
    return [*launcher(wasmedge), "-I", "-S", "-c", "import sys, ctypes; sys.stdout.write(sys.stdin.read().upper())"]


def wasmedge_command(engine: Path, source: str) -> list[str] | None:
    """WasmEdge's own command line, where there is one."""
    program = shutil.which("wasmedge")
    return None if program is None else [program, str(engine), "-I", "-S", "-B", "-c", source]


async def one_each(command: Sequence[str], count: int, data: bytes, expected: bytes) -> list[int]:
    """Start a process for each call; microseconds from its start to its end.

    Raises:
        Wrong: it did not say what it should.
    """
    latencies = []
    for _ in range(count):
        began_ns = time.perf_counter_ns()
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            env={},
        )
        out, _ = await process.communicate(data)
        latencies.append((time.perf_counter_ns() - began_ns) // 1000)
        if out != expected:
            raise Wrong(f"{command[0]} said {out[:80]!r}, exit status {process.returncode}")
    return latencies


def cpu_seconds(roots: Sequence[int]) -> tuple[float, float]:
    """CPU time so far: of those processes, and of all that run and descend from them."""
    used = cpu_by_process(roots)
    own = sum(used.get(pid, 0.0) for pid in roots)
    return own, sum(used.values()) - own


def cpu_by_process(roots: Sequence[int]) -> dict[int, float]:
    """CPU time in seconds so far of those processes and of all that run and descend from them, by process id."""
    parents: dict[int, int] = {}
    used: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                # The second field is a name in brackets and may hold anything.
                fields = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
            except OSError:
                continue
            pid = int(entry.name)
            parents[pid], used[pid] = int(fields[1]), int(fields[11]) + int(fields[12])
    return {pid: ticks / _TICKS_PER_SECOND for pid, ticks in used.items() if _descends(pid, roots, parents)}


def _descends(pid: int, roots: Sequence[int], parents: dict[int, int]) -> bool:
    while pid:
        if pid in roots:
            return True
        pid = parents.get(pid, 0)
    return False
