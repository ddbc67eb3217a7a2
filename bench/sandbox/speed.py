"""How fast pure Python is inside, beside a native interpreter of the same version if this machine has one."""

import asyncio
import math
import re
import shutil
import sys
from pathlib import Path

from bench.in_executor import Inside, Wrong
from bench.sandbox.figures import Figure
from bench.sandbox.programs import PROGRAMS, TIMED
from executor.pool import Pool

_WANTED = (3, 12)
"""Of the pinned module."""


async def figures(pool: Pool, python: Path | None, turns: int, names: int) -> list[Figure]:
    """Ratios of the quickest turns; ``names``: how many of the programs."""
    native = python or same_version()
    version = await _version(native)
    found = []
    ratios = []
    for name, program in list(PROGRAMS.items())[:names]:
        source = program + TIMED % turns
        inside = float((await Inside(pool, source, "speed").call(b"", None)).output)
        outside = float(await _native(native, source))
        ratios.append(inside / outside)
        note = f"{inside * 1000:.1f} ms inside, {outside * 1000:.1f} ms native"
        found.append(Figure(f"  {name}", inside / outside, "x", note=note))
    mean = math.exp(sum(math.log(ratio) for ratio in ratios) / len(ratios))
    name = f"time of pure Python, CPython 3.12 inside to {version} native"
    return [Figure(name, mean, "x", note="geometric mean of"), *found]


def same_version() -> Path:
    """A native interpreter of the same version, else this one."""
    name = f"python{_WANTED[0]}.{_WANTED[1]}"
    homes = Path.home().glob(f".pyenv/versions/{_WANTED[0]}.{_WANTED[1]}.*/bin/{name}")
    for found in (sys.executable if sys.version_info[:2] == _WANTED else None, *homes, shutil.which(name)):
        if found is not None:
            return Path(found)
    return Path(sys.executable)


async def _version(python: Path) -> str:
    said = await _native(python, "import sys; print('CPython', sys.version.split()[0])")
    if not re.fullmatch(r"CPython [\d.]+\S*", said.strip()):
        raise Wrong(f"{python} does not say its version: {said[:80]!r}")
    return said.strip()


async def _native(python: Path, source: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *(str(python), "-I", "-S", "-c", source), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, errors = await process.communicate()
    if process.returncode != 0:
        raise Wrong(f"{python}: {errors.decode('utf-8', 'replace')[-300:]}")
    return out.decode()
