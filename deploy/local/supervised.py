"""One service that is kept running: started again when it ends, slower each time it ends soon."""

import asyncio
import contextlib
import signal
import time
from collections.abc import Callable
from typing import Literal

from deploy.local.process import Child, StartFailed
from deploy.local.services import Service

State = Literal["starting", "running", "waiting", "stopping", "stopped"]

_FIRST_WAIT_SECONDS = 0.2
_LONGEST_WAIT_SECONDS = 10.0
_STEADY_SECONDS = 30.0
"""Who ran this long starts again with the shortest wait."""


class Supervised:
    """Keeps ``service`` running from `start` to `stop`; ``report`` is told what a person should know."""

    def __init__(self, service: Service, report: Callable[[str], None]) -> None:
        self._service = service
        self._report = report
        self._child: Child | None = None
        self._watcher: asyncio.Task[None] | None = None
        self.state: State = "stopped"
        self.restarts = 0
        self.since = time.monotonic()

    @property
    def name(self) -> str:
        """The service's name."""
        return self._service.name

    @property
    def pid(self) -> int | None:
        """Its process, while there is one."""
        return self._child.pid if self._child else None

    async def start(self, group: asyncio.TaskGroup) -> None:
        """Start it for the first time, and watch it from now on, in ``group``.

        Raises:
            StartFailed: it did not start; it is not tried again.
        """
        self._enter("starting")
        try:
            self._child = await self._service.start()
        except BaseException:
            self._enter("stopped")
            raise
        self._enter("running")
        self._watcher = group.create_task(self._watch(self._child), name=f"watch {self.name}")

    async def stop(self, deadline_seconds: float) -> None:
        """Stop it in order, kill it after the deadline; it is not started again."""
        self._enter("stopping")
        child, watcher = self._child, self._watcher
        if child is not None:
            await child.stop(deadline_seconds)
        if watcher is not None:
            watcher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watcher
        self._child = self._watcher = None
        self._enter("stopped")

    def kill(self) -> None:
        """Kill its processes at once; if it is not being stopped, it starts again."""
        if self._child is not None:
            self._child.kill_now()

    def _enter(self, state: State) -> None:
        self.state = state
        self.since = time.monotonic()

    async def _watch(self, child: Child) -> None:
        wait_seconds = _FIRST_WAIT_SECONDS
        while True:
            started = time.monotonic()
            status = await child.wait()
            if self.state == "stopping":
                return
            self._child = None
            if time.monotonic() - started > _STEADY_SECONDS:
                wait_seconds = _FIRST_WAIT_SECONDS
            self._report(f"{self.name} ended ({_how(status)}); it starts again in {wait_seconds:g} s")
            child, wait_seconds = await self._start_again(wait_seconds)

    async def _start_again(self, wait_seconds: float) -> tuple[Child, float]:
        while True:
            self._enter("waiting")
            await asyncio.sleep(wait_seconds)
            wait_seconds = min(wait_seconds * 2, _LONGEST_WAIT_SECONDS)
            self.restarts += 1
            self._enter("starting")
            try:
                self._child = await self._service.start()
            except StartFailed as error:
                self._report(f"{error}; tried again in {wait_seconds:g} s")
                continue
            self._enter("running")
            return self._child, wait_seconds


def _how(status: int) -> str:
    if status >= 0:
        return f"status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"
