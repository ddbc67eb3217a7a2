"""Whether an answer has the form that was asked for, found out in bounded time."""

import asyncio
import logging
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from broker.format_worker import Question, Verdict
from broker.refusal import invalid

log = logging.getLogger("broker")

PROCESSES = 2
CHECK_SECONDS = 1.0
_START_SECONDS = 20.0
_MAX_VERDICT_BYTES = 64 * 1024


class Checker:
    """Asks processes that are ended when they take too long; they start when they are needed. Made by `checking`.

    Of each plugin one question is asked at a time: schemas that take too long hold up nobody else for longer than one.
    """

    def __init__(self) -> None:
        self._turns: dict[str, asyncio.Lock] = {}
        self._here: Counter[str] = Counter()
        self._idle: asyncio.LifoQueue[_Worker] = asyncio.LifoQueue()
        for _ in range(PROCESSES):
            self._idle.put_nowait(_Worker())

    async def check_schema(self, schema: Any, whose: str = "") -> None:
        """Refuse what is no JSON schema; ``"json"`` and None are fine.

        Args:
            schema: what came as one.
            whose: the plugin.

        Raises:
            AIFailure: ``invalid_prompt``; says what is wrong with it.
        """
        if isinstance(schema, dict):
            _refuse(await self._ask(Question(schema), whose))

    async def problem(self, form: Any, text: str, whose: str = "") -> str | None:
        """What keeps ``text`` from having the form (``"json"`` or a schema), in words; None: it has it.

        Args:
            form, text: see above.
            whose: the plugin.

        Raises:
            AIFailure: ``invalid_prompt``; the schema can't be used.
        """
        verdict = await self._ask(Question(form if isinstance(form, dict) else {}, text), whose)
        _refuse(verdict)
        return verdict.text or None

    async def close(self) -> None:
        """End the processes."""
        while not self._idle.empty():
            await self._idle.get_nowait().stop()

    async def _ask(self, question: Question, whose: str) -> Verdict:
        turn = self._turns.setdefault(whose, asyncio.Lock())
        self._here[whose] += 1
        try:
            async with turn:
                return await self._answer(question)
        finally:
            self._here[whose] -= 1
            if not self._here[whose]:
                del self._here[whose], self._turns[whose]

    async def _answer(self, question: Question) -> Verdict:
        worker = await self._idle.get()
        answered = False
        try:
            verdict = await worker.ask(msgspec.json.encode(question))
            answered = True
        except TimeoutError:
            raise invalid(f"format is a schema that takes more than {CHECK_SECONDS:.0f} s to check") from None
        except (OSError, EOFError, asyncio.IncompleteReadError):
            raise invalid("format is a schema that can't be checked within the memory for it") from None
        finally:
            if not answered:
                worker.kill()
            self._idle.put_nowait(worker)
        return msgspec.json.decode(verdict, type=Verdict)


class _Worker:
    """A process, or the place of one."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None

    async def ask(self, question: bytes) -> bytes:
        if self._process is not None and self._process.returncode is not None:
            self._process = None
        if self._process is None:
            async with asyncio.timeout(_START_SECONDS):
                await self._start()
        async with asyncio.timeout(CHECK_SECONDS):
            return await self._exchange(question)

    def kill(self) -> None:
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            process.kill()

    async def stop(self) -> None:
        process = self._process
        self.kill()
        if process is not None:
            await process.wait()

    async def _start(self) -> None:
        pipe = asyncio.subprocess.PIPE
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "broker.format_worker", stdin=pipe, stdout=pipe
        )
        # The first answer takes as long as Python needs to begin.
        await self._exchange(msgspec.json.encode(Question({})))

    async def _exchange(self, question: bytes) -> bytes:
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(len(question).to_bytes(4, "big") + question)
        await self._process.stdin.drain()
        size = int.from_bytes(await self._process.stdout.readexactly(4), "big")
        if size > _MAX_VERDICT_BYTES:
            raise EOFError
        return await self._process.stdout.readexactly(size)


@asynccontextmanager
async def checking() -> AsyncIterator[Checker]:
    """A checker whose processes end with the block."""
    checker = Checker()
    try:
        yield checker
    finally:
        await checker.close()


def _refuse(verdict: Verdict) -> None:
    if verdict.schema:
        raise invalid(f"format is not a JSON schema: {verdict.schema}")
