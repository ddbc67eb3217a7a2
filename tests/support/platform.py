"""The whole platform as real processes, for tests: what `make up` runs, on free ports and in a folder of its own."""

import asyncio
import contextlib
import dataclasses
import os
import signal
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from deploy.local import ports, stack
from deploy.local.settings import Settings
from deploy.local.sockets import remove_folder

READY_SECONDS = 60.0
_STOP_SECONDS = 60.0


class Platform:
    """A running platform. Parts are called ``nats``, ``postgres``, ``modelserver``, ``gateway``, ``broker``,
    ``executor-1``, ``executor-2``, …"""

    def __init__(self, running: stack.Stack, settings: Settings) -> None:
        self._stack = running
        self._settings = settings
        self.reports: list[str] = []
        """What the supervisor told its user."""

    @property
    def http_url(self) -> str:
        """Address of the gateway."""
        return self._stack.http_url

    @property
    def nats_url(self) -> str:
        """Address of NATS."""
        return self._stack.nats_url

    @property
    def state(self) -> Path:
        """Its state folder."""
        return self._settings.places.state

    def log(self, name: str) -> str:
        """What a part has logged so far."""
        return (self.state / "log" / f"{name}.log").read_text(errors="replace")

    def names(self) -> list[str]:
        """Parts there are."""
        return list(self._stack.parts)

    def pid(self, name: str) -> int:
        """Process id of a part that runs."""
        pid = self._stack.parts[name].pid
        assert pid is not None, f"{name} does not run"
        return pid

    def state_of(self, name: str) -> str:
        """``running``, or what else the supervisor says of a part."""
        return self._stack.parts[name].state

    @property
    def modelserver_url(self) -> str:
        """Address of the embedded model server."""
        assert self._settings.modelserver_address is not None
        return f"http://{ports.reachable(*self._settings.modelserver_address)}"

    def runs(self, name: str) -> bool:
        """Whether a part has a process now."""
        return name in self._stack.parts and self._stack.parts[name].pid is not None

    def kill(self, name: str) -> None:
        """kill -9; the supervisor starts it again, as it does for a user."""
        os.kill(self.pid(name), signal.SIGKILL)

    async def take_down(self, name: str, *, kill: bool = True) -> None:
        """End a part, by kill -9 or by SIGTERM, and keep it down until `bring_up`."""
        await self._stack.parts[name].stop(0.0 if kill else _STOP_SECONDS)

    async def bring_up(self, name: str) -> None:
        """Start a part that was taken down."""
        await self._stack.start_again(name)

    async def add_executor(self) -> str:
        """Start one more executor and wait until it answers; its name."""
        before = set(self.names())
        # Counted beforehand: a part that has not been started yet counts as stopped.
        wanted = self._executors() + 1
        self._stack.scale(wanted)
        (name,) = set(self.names()) - before
        await self.wait_ready(executors=wanted)
        return name

    async def remove_executor(self, name: str) -> None:
        """Let an executor finish what it runs and leave."""
        await self._stack.remove(name, _STOP_SECONDS)

    async def scale(self, executors: int) -> None:
        """Run that many executors; returns when so many answer."""
        self._stack.scale(executors)
        await self.wait_ready(executors=executors)

    async def wait_ready(self, executors: int | None = None) -> None:
        """Wait until every part answers, and as many executors (default: as many as there are)."""
        problems = await self._stack.wait_ready(READY_SECONDS, executors=executors)
        assert not problems, problems

    def _executors(self) -> int:
        return sum(
            part.state not in ("stopping", "stopped")
            for name, part in self._stack.parts.items()
            if name.startswith("executor-")
        )


@contextlib.asynccontextmanager
async def platform(
    folder: Path, *, executors: int = 2, environment: Mapping[str, str] | None = None
) -> AsyncIterator[Platform]:
    """The platform for the length of the context, ready when it begins.

    Args:
        folder: keeps its state; a second platform on the same folder finds what the first one left.
        executors: how many at first.
        environment: variables that its services get beside the test's own.
    """
    settings = Settings.read(
        dict(os.environ)
        | {
            "WASMFORGE_STATE": str(folder / "state"),
            "WASMFORGE_NATS": f"127.0.0.1:{ports.find_free()}",
            "WASMFORGE_HTTP": f"127.0.0.1:{ports.find_free()}",
            "WASMFORGE_MODELSERVER": f"127.0.0.1:{ports.find_free()}",
            # Nobody listens there: the embedded model answers on every machine.
            "OLLAMA_URL": f"http://127.0.0.1:{ports.find_free()}",
        }
        | dict(environment or {}),
        executors=executors,
    )
    settings = dataclasses.replace(settings, durable=False)
    reports: list[str] = []
    ready: asyncio.Future[stack.Stack] = asyncio.get_running_loop().create_future()
    done = asyncio.Event()

    async def hold() -> None:
        # A task of its own, because a fixture's two halves may run in two tasks and a task group may not.
        try:
            async with stack.run(settings, reports.append) as running:
                problems = await running.wait_ready(READY_SECONDS)
                assert not problems, problems
                ready.set_result(running)
                await done.wait()
        except BaseException as error:
            if ready.done():
                raise
            ready.set_exception(error)

    holder = asyncio.create_task(hold())
    try:
        started = Platform(await ready, settings)
        started.reports = reports
        yield started
    finally:
        done.set()
        await holder
        remove_folder(settings.places.state)
