"""A part of a bench as a process of its own, which is told a line of JSON at a time what to do and answers with one."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from typing import TypeVar

import msgspec

from bench.in_executor import Wrong
from deploy.places import PROJECT

Answer = TypeVar("Answer")

_LINE_BYTES = 1 << 27
"""All latencies of a slice come as one line."""


class Worker:
    """A module of the bench, running."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def ask(self, asked: msgspec.Struct, answer: type[Answer], timeout_seconds: float) -> Answer:
        """Let it do something and wait for what it found.

        Raises:
            TimeoutError: it took longer.
            Wrong: it has ended.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(msgspec.json.encode(asked) + b"\n")
        async with asyncio.timeout(timeout_seconds):
            line = await self._process.stdout.readline()
        if not line:
            raise Wrong("a process of the bench has ended before it answered")
        return msgspec.json.decode(line, type=answer)


@contextlib.asynccontextmanager
async def worker(module: str) -> AsyncIterator[Worker]:
    """``python -m module`` for the length of the block."""
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module), stdin=pipe, stdout=pipe, cwd=PROJECT, limit=_LINE_BYTES
    )
    try:
        yield Worker(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()
