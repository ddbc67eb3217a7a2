"""The command ``wasmforge`` as a process."""

import asyncio
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).parents[2]


@dataclass
class Ran:
    """What a finished command left."""

    code: int | None
    out: bytes
    err: str


def command(url: str | None, arguments: Sequence[str]) -> list[str]:
    """The command line of ``wasmforge``."""
    where = ["--url", url] if url else []
    return [sys.executable, "-m", "sdk.cli", *where, *arguments]


def environment() -> dict[str, str]:
    """This process's own, without an address of a platform."""
    return {name: value for name, value in os.environ.items() if name != "WASMFORGE_HTTP"} | {
        "PYTHONPATH": str(PROJECT)
    }


async def wasmforge(url: str | None, *arguments: str, stdin: bytes = b"") -> Ran:
    """Run ``wasmforge`` to its end."""
    process = await asyncio.create_subprocess_exec(
        *command(url, arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment(),
    )
    out, err = await process.communicate(stdin)
    return Ran(process.returncode, out, err.decode())
