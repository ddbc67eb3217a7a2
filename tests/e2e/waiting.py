"""Waiting for the thing itself, and load that goes on meanwhile."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import httpx

from tests.e2e.plugins import call, http_client


async def until(condition: Callable[[], Awaitable[bool]], what: str, seconds: float = 20) -> None:
    """Ask again and again until it is so."""
    deadline = time.monotonic() + seconds
    while not await condition():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        await asyncio.sleep(0.02)


async def until_health(http: httpx.AsyncClient, **wanted: object) -> dict[str, object]:
    """Wait until ``/health`` says so; its whole answer."""
    found: dict[str, object] = {}

    async def says() -> bool:
        reply = await http.get("/health")
        assert reply.status_code == 200
        found.clear()
        found.update(reply.json())
        return all(found[key] == value for key, value in wanted.items())

    await until(says, f"health says {wanted}")
    return found


@dataclass
class Answer:
    """One call of the load: when it began and ended (monotonic seconds), and how."""

    began: float
    ended: float
    reply: httpx.Response
    expected: str

    @property
    def execution_id(self) -> str:
        return self.reply.headers["wasmforge-execution-id"]

    @property
    def good(self) -> bool:
        return self.reply.status_code == 200 and self.reply.text == self.expected


WORK = """import time
from platform_sdk import get_input, send_output
word, seconds = get_input().split()
time.sleep(float(seconds))
send_output(word)
"""
"""Input ``word seconds``: says the word after so long."""


@dataclass
class Load:
    """Callers that call one after the other, each for itself, until they are told to stop."""

    answers: list[Answer] = field(default_factory=list)

    async def more(self, count: int) -> None:
        """Wait for that many more answers."""
        wanted = len(self.answers) + count

        async def there() -> bool:
            return len(self.answers) >= wanted

        await until(there, f"{count} more answers", 60)


@contextlib.asynccontextmanager
async def steady_load(url: str, plugin: str, callers: int, seconds: tuple[float, float]) -> AsyncIterator[Load]:
    """Calls of `WORK` that take between ``seconds[0]`` and ``seconds[1]``; at the end all have been answered."""
    load = Load()
    stop = asyncio.Event()

    async def run(http: httpx.AsyncClient, number: int) -> None:
        count = 0
        while not stop.is_set():
            count += 1
            word = f"{number}-{count}"
            length = seconds[0] + (seconds[1] - seconds[0]) * ((number * 7 + count * 3) % 10) / 9
            began = time.monotonic()
            reply = await call(http, plugin, f"{word} {length:.4f}")
            load.answers.append(Answer(began, time.monotonic(), reply, word))

    async with http_client(url) as http, asyncio.TaskGroup() as group:
        for number in range(callers):
            group.create_task(run(http, number))
        try:
            yield load
        finally:
            stop.set()
