"""The whole platform on this machine: started side by side, kept running, stopped in order."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from deploy.local import ports, web
from deploy.local.nats import NatsServer
from deploy.local.postgres import PostgresServer
from deploy.local.process import StartFailed, tail
from deploy.local.services import EMBEDDED_MODEL, MAPPED_MODELS, Service, Services, modelserver
from deploy.local.settings import MAX_EXECUTORS, Settings
from deploy.local.sockets import make_folder
from deploy.local.supervised import Supervised

Report = Callable[[str], None]

_OLLAMA_SECONDS = 1.0
_DEFAULT_MODELSERVER_PORT = 11435
_POLL_SECONDS = 0.1
_KEPT_LOG_BYTES = 10_000_000
_STOP_SECONDS = {"gateway": 30.0, "executor": 30.0, "broker": 10.0, "modelserver": 15.0, "nats": 10.0, "postgres": 20.0}
"""Deadlines of an ordered stop, in its order: nothing new comes in, what runs is finished, then what it stood on."""
_DRAIN_SECONDS = 610.0
"""An executor that is scaled away finishes its calls; none may take longer than this."""


class Stack:
    """The running platform. Made by `run`."""

    def __init__(self, settings: Settings, report: Report, group: asyncio.TaskGroup) -> None:
        self._settings = settings
        self._report = report
        self._group = group
        self._parts: dict[str, Supervised] = {}
        self._services: Services | None = None
        self.embedded_model = False
        """Whether the stack's own model server runs, because no Ollama answered."""
        self.http_url = settings.http_url
        self.nats_url = ""

    @property
    def parts(self) -> dict[str, Supervised]:
        """Everything that is kept running, by name."""
        return dict(self._parts)

    async def start(self) -> None:
        """Start everything; the services are up, though perhaps not ready yet, when this returns.

        Raises:
            StartFailed: a port is taken or a server does not start.
        """
        settings = self._settings
        state = settings.places.state
        ports.check_free(*settings.nats_address, "WASMFORGE_NATS")
        ports.check_free(*settings.http_address, "WASMFORGE_HTTP")
        _prepare(settings)
        sockets = make_folder(state)
        host, port = settings.nats_address
        nats = NatsServer(state / "nats", host=host, port=port, log=state / "log" / "nats.log")
        self.nats_url = nats.url
        postgres = PostgresServer(
            state / "postgres", sockets, durable=settings.durable, log=state / "log" / "postgres.log"
        )
        model_url, aliases = settings.ollama_url, settings.model_aliases or ""

        async def models() -> None:
            nonlocal model_url, aliases
            if settings.other_models:
                return
            if await web.get_json(f"{settings.ollama_url}/api/version", _OLLAMA_SECONDS) is not None:
                return
            self.embedded_model = True
            address = settings.modelserver_address or _modelserver_address()
            model_url = f"http://{ports.reachable(*address)}"
            if settings.model_aliases is None:
                aliases = ",".join(f"{name}={EMBEDDED_MODEL}" for name in (*MAPPED_MODELS, EMBEDDED_MODEL))
            await self._add(modelserver(settings, *address))

        # The others are told the addresses of these two; PostgreSQL only the gateway needs, which waits for it.
        await _all([models(), self._add(nats)])
        services = Services(
            settings, nats.url, settings.database or postgres.dsn(), model_url, aliases, embedded=self.embedded_model
        )
        self._services = services
        executors = [self._add(services.executor(number)) for number in range(1, settings.executors + 1)]
        database = [self._add(postgres)] if settings.database is None else []
        await _all([*executors, *database, self._add(services.gateway()), self._add(services.broker())])

    async def wait_ready(self, deadline_seconds: float, executors: int | None = None) -> list[str]:
        """Wait until the gateway says that every part answers.

        Args:
            deadline_seconds: how long to wait at most.
            executors: how many of them must answer; None: as many as were set at first.

        Returns:
            What is still away after the deadline, a sentence each; empty when all is well.

        Raises:
            StartFailed: the gateway itself does not answer, or a service keeps ending.
        """
        executors = self._settings.executors if executors is None else executors
        deadline = time.monotonic() + deadline_seconds
        health: dict[str, Any] | None = None
        while time.monotonic() < deadline:
            health = await web.get_json(f"{self.http_url}/health", 2.0)
            if health is not None and _all_answer(health, executors):
                return []
            for part in self._parts.values():
                if part.restarts >= 3:
                    raise StartFailed(self._last_words(part.name))
            await asyncio.sleep(_POLL_SECONDS)
        if health is None:
            raise StartFailed(self._last_words("gateway"))
        problems = health.get("problems") or ["not every executor answers"]
        return [str(problem) for problem in problems]

    def scale(self, executors: int) -> None:
        """Run that many executors from now on; those that are too many finish what they run first.

        Raises:
            StartFailed: the number is not possible.
        """
        if not 0 <= executors <= MAX_EXECUTORS:
            raise StartFailed(f"{executors} executors are not possible; choose 0 to {MAX_EXECUTORS}")
        assert self._services is not None, "not started"
        names = [name for name, part in self._parts.items() if _kind(name) == "executor" and part.state != "stopping"]
        for name in sorted(names, key=_number)[executors:]:
            self._group.create_task(self.remove(name, _DRAIN_SECONDS))
        number = 0
        for _ in range(executors - len(names)):
            while f"executor-{(number := number + 1)}" in self._parts:
                pass
            part = Supervised(self._services.executor(number), self._report)
            self._parts[part.name] = part
            self._group.create_task(self._start_late(part))

    async def remove(self, name: str, deadline_seconds: float) -> None:
        """Stop one part in order and forget it."""
        await self._parts[name].stop(deadline_seconds)
        self._parts.pop(name, None)

    async def start_again(self, name: str) -> None:
        """Start a part that was stopped with its `Supervised.stop`."""
        await self._parts[name].start(self._group)

    def status(self) -> list[dict[str, Any]]:
        """Every part: name, state, process id, seconds in that state, how often it was started again."""
        now = time.monotonic()
        return [
            {
                "name": part.name,
                "state": part.state,
                "pid": part.pid,
                "seconds": round(now - part.since, 1),
                "restarts": part.restarts,
            }
            for part in self._parts.values()
        ]

    def kill(self) -> None:
        """Kill every process at once, for somebody who does not want to wait."""
        for part in self._parts.values():
            part.kill()

    async def stop(self) -> None:
        """Stop everything in order, each within its deadline."""
        for kind, deadline_seconds in _STOP_SECONDS.items():
            now = [part for part in self._parts.values() if _kind(part.name) == kind]
            await asyncio.gather(*(part.stop(deadline_seconds) for part in now))

    async def _add(self, service: Service) -> None:
        part = Supervised(service, self._report)
        self._parts[part.name] = part
        await part.start(self._group)

    async def _start_late(self, part: Supervised) -> None:
        try:
            await part.start(self._group)
        except StartFailed as error:
            self._parts.pop(part.name, None)
            self._report(str(error))

    def _last_words(self, name: str) -> str:
        log = self._settings.places.state / "log" / f"{name}.log"
        return f"{name} does not start: {tail(log, 1) or 'it says nothing'} (see {log})"


@contextlib.asynccontextmanager
async def run(settings: Settings, report: Report) -> AsyncIterator[Stack]:
    """The platform for the length of the context; it is stopped in order at the end, whatever ended it.

    Raises:
        StartFailed: it did not start; what had started is stopped.
    """
    failure: Exception | None = None
    async with asyncio.TaskGroup() as group:
        stack = Stack(settings, report, group)
        try:
            await stack.start()
            yield stack
        except Exception as error:  # noqa: BLE001  # raised again below: the group would wrap it
            failure = error
        finally:
            await stack.stop()
    if failure is not None:
        raise failure


def _prepare(settings: Settings) -> None:
    state = settings.places.state
    (state / "log").mkdir(mode=0o700, parents=True, exist_ok=True)
    state.chmod(0o700)
    for log in (state / "log").glob("*.log"):
        if log.stat().st_size > _KEPT_LOG_BYTES:
            log.replace(log.with_suffix(".log.1"))


def _modelserver_address() -> tuple[str, int]:
    try:
        ports.check_free("127.0.0.1", _DEFAULT_MODELSERVER_PORT, "WASMFORGE_MODELSERVER")
    except StartFailed:
        return "127.0.0.1", ports.find_free()
    return "127.0.0.1", _DEFAULT_MODELSERVER_PORT


async def _all(starts: Sequence[Any]) -> None:
    """Run them side by side; the first failure ends the others and is raised as it is."""
    failures: list[Exception] = []
    try:
        async with asyncio.TaskGroup() as group:
            for start in starts:
                group.create_task(start)
    except* StartFailed as failed:
        failures += failed.exceptions
    if failures:  # outside of except*, which would wrap it again
        raise failures[0]


def _kind(name: str) -> str:
    return name.partition("-")[0]


def _number(name: str) -> int:
    return int(name.rpartition("-")[2])


def _all_answer(health: dict[str, Any], executors: int) -> bool:
    if executors == 0:
        return all(health.get(part) is True for part in ("nats", "database", "models"))
    return health.get("status") == "ok" and int(health.get("executors", 0)) >= executors
