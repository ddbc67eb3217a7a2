"""Compiles source in a sandbox, without running it: the only safe place, and the only compiler whose word counts."""

import asyncio

import msgspec

from executor.content import files_of
from executor.pool import Pool
from executor.prepared import OneRun
from executor.sandbox import frames
from schemas.errors import Busy, RuntimeFault
from schemas.messages import CheckReply

CHECK_SECONDS = 10.0
ARCHIVE_SECONDS = 30.0
"""Megabytes of packages take five seconds of CPU time, and it may have to be shared."""
AT_ONCE = 2
MAX_WAITING = 32
_MAX_MESSAGE = 500
_MAX_PROBLEMS = 100


class Checks:
    """Checks sources, a few at a time: each takes a process, and a core for as long as it lasts."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._room = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    async def check(self, source: str, archive: bytes | None = None) -> CheckReply:
        """As `check_source`, after waiting for room.

        Raises:
            Busy: too many wait already.
        """
        if self._waiting >= MAX_WAITING:
            raise Busy(f"{MAX_WAITING} sources wait to be checked here already, try again")
        self._waiting += 1
        try:
            await self._room.acquire()
        finally:
            self._waiting -= 1
        try:
            return await check_source(self._pool, source, archive)
        finally:
            self._room.release()


async def check_source(pool: Pool, source: str, archive: bytes | None = None) -> CheckReply:
    """What the sandbox's compiler says of ``source``, or of all files of a zip of which that is the main one.

    Raises:
        BaseFailed: no process can be had.
        RuntimeFault: the sandbox gave no usable answer.
    """
    files = await asyncio.to_thread(files_of, source, archive)
    timeout_seconds = CHECK_SECONDS if archive is None else ARCHIVE_SECONDS
    sandbox = await pool.lease_new()
    run = OneRun()
    try:
        exit = await run.of(sandbox, frames.CHECK, files, timeout_seconds)
    finally:
        pool.give_back(sandbox, None)
    if exit is None:
        return CheckReply(ok=False, message=f"the source can't be compiled within {timeout_seconds:.0f} seconds")
    if exit.reason != frames.RETURNED or run.text is None:
        return CheckReply(ok=False, message="the source breaks the compiler: it is too large or too deeply nested")
    try:
        reply = msgspec.json.decode(run.text, type=CheckReply)
    except (msgspec.MsgspecError, ValueError) as error:
        raise RuntimeFault(f"the sandbox's check can't be read: {error}") from None
    problems = [msgspec.structs.replace(p, message=p.message[:_MAX_MESSAGE]) for p in reply.problems[:_MAX_PROBLEMS]]
    return msgspec.structs.replace(reply, message=reply.message[:_MAX_MESSAGE], problems=problems)
