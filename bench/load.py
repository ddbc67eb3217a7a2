"""The load generator as a process of its own, told slice by slice what to do."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator

import msgspec

from bench.http_client import Measured, Slice
from deploy.places import PROJECT

_GRACE_SECONDS = 60.0


class LoadGenerator:
    """`bench.http_client`, running."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def measure(self, asked: Slice) -> Measured:
        """Some seconds of load."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(msgspec.json.encode(asked) + b"\n")
        async with asyncio.timeout(asked.seconds + _GRACE_SECONDS):
            return msgspec.json.decode(await self._process.stdout.readline(), type=Measured)


@contextlib.asynccontextmanager
async def load_generator() -> AsyncIterator[LoadGenerator]:
    """One for the length of the block."""
    pipe = asyncio.subprocess.PIPE
    # A slice's latencies come as one line.
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.http_client"), stdin=pipe, stdout=pipe, cwd=PROJECT, limit=1 << 26
    )
    try:
        yield LoadGenerator(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()
