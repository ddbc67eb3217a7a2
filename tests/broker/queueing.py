"""A scheduler before model servers that a test serves by hand, on a clock that a test turns."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from broker.scheduler import Bounds, Scheduler, Server
from broker.ticket import Ticket
from schemas.errors import AIErrorCode, AIFailure


@dataclass
class FakeServer:
    """A model server that is whatever a test says."""

    url: str = "one"
    capacity: int = 1
    models: set[str] = field(default_factory=lambda: {"m"})
    in_memory: set[str] = field(default_factory=lambda: {"m"})
    healthy: bool = True

    def has(self, model: str) -> bool:
        return model in self.models

    def loaded(self, model: str) -> bool:
        return model in self.in_memory


@dataclass(eq=False)
class Asked:
    """A request and what became of it."""

    name: str
    task: asyncio.Task[None]
    may_end: asyncio.Event
    began_at: float = -1.0
    server: str = ""

    def code(self) -> AIErrorCode:
        """Why it was refused, which it must have been."""
        error = self.task.exception()
        assert isinstance(error, AIFailure), error
        return error.code


class Hall:
    """Requests before a scheduler; `began` has them in the order of their turns."""

    def __init__(self, bounds: Bounds | None = None, servers: Sequence[FakeServer] = ()) -> None:
        self.now = 0.0
        self.servers: list[FakeServer] = list(servers) or [FakeServer()]
        self.scheduler = Scheduler(bounds, lambda: self.now)
        self.began: list[Asked] = []
        self.running: list[Asked] = []

    def ask(self, plugin: str, caller: str = "", model: str = "m", **more: Any) -> Asked:
        """A request that runs until it is served."""
        ahead = more.pop("ahead", False)
        candidates: Sequence[Server] = more.pop("candidates", self.servers)
        deadline = asyncio.get_running_loop().time() + more.pop("seconds", 60.0)
        given = {"operation": "generate", "model": model, "target": model, "deadline": deadline}
        ticket = Ticket(**(given | {"plugin": plugin, "caller": caller} | more))
        asked: Asked

        async def run() -> None:
            async with self.scheduler.turn(ticket, candidates, ahead=ahead) as server:
                asked.began_at, asked.server = self.now, server.url
                self.began.append(asked)
                self.running.append(asked)
                try:
                    await asked.may_end.wait()
                finally:
                    self.running.remove(asked)

        asked = Asked(plugin, asyncio.ensure_future(run()), asyncio.Event())
        return asked

    async def settled(self) -> None:
        """Wait until nobody has anything more to do by himself."""
        for _ in range(8):
            await asyncio.sleep(0)

    async def serve(self, count: int = 1, seconds: float = 1.0) -> None:
        """Let so many requests end, the oldest first, each after so long."""
        for _ in range(count):
            await self.settled()
            self.now += seconds
            self.running[0].may_end.set()
        await self.settled()

    async def serve_all(self) -> None:
        """Until nothing is left."""
        await self.settled()
        while self.running:
            await self.serve()
        assert self.scheduler.running == self.scheduler.waiting == 0
        load = self.scheduler.load()
        assert not load.models
        assert not load.plugins
        assert not load.callers

    def names(self) -> list[str]:
        """Plugins in the order of their turns."""
        return [asked.name for asked in self.began]
