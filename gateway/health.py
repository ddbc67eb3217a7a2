"""``GET /health``: what of the platform is there, in a second at most."""

import asyncio
import time

import msgspec

from gateway.asking import ask_all
from gateway.inbox import Inbox
from gateway.models import Models
from gateway.plugins import PluginStore
from schemas import __version__
from schemas.errors import WasmForgeError
from schemas.http import Health, SandboxInfo

EXECUTOR_SERVICE = "wasmforge-executor"
WASMEDGE = "wasmedge"

_KEPT_SECONDS = 1.0
_TROUBLE_KEPT_SECONDS = 0.1
"""Shorter, so that who waits for the platform to be there learns it soon."""
_CHECK_SECONDS = 0.8
_ALL_ANSWERS_SECONDS = 0.5
_QUIET_SECONDS = 0.1
_MAX_SERVICES = 10_000


class HealthCheck:
    """Looks at every part at once; what is well is remembered for a second, so that asking often costs little."""

    def __init__(self, inbox: Inbox, store: PluginStore, models: Models) -> None:
        self._inbox = inbox
        self._store = store
        self._models = models
        self._known: Health | None = None
        self._known_until = 0.0
        self._lock = asyncio.Lock()

    async def get(self) -> Health:
        """The state of the platform; never raises."""
        async with self._lock:
            if self._known is None or time.monotonic() >= self._known_until:
                self._known = await self._look()
                kept_seconds = _TROUBLE_KEPT_SECONDS if self._known.problems else _KEPT_SECONDS
                self._known_until = time.monotonic() + kept_seconds
            return self._known

    async def _look(self) -> Health:
        nats, sandboxes, database, models = await asyncio.gather(
            self._check_nats(), self._find_executors(), self._check_database(), self._check_models()
        )
        problems = [text for text in (nats, database) if text]
        if not nats:
            if not sandboxes:
                problems.append("no executor is running: plugins can't run")
            if models:
                problems.append(models)
        return Health(
            status="degraded" if problems else "ok",
            wasmedge=any(sandbox.sandbox == WASMEDGE for sandbox in sandboxes),
            nats=not nats,
            database=not database,
            models=not nats and not models,
            executors=len(sandboxes),
            problems=problems,
            version=__version__,
            sandboxes=sandboxes,
            warnings=_warnings(sandboxes),
        )

    async def _check_nats(self) -> str:
        try:
            self._inbox.connection()
        except WasmForgeError as error:
            return error.message
        return ""

    async def _check_database(self) -> str:
        try:
            async with asyncio.timeout(_CHECK_SECONDS):
                await self._store.ping()
        except WasmForgeError as error:
            return error.message
        except TimeoutError:
            return "PostgreSQL is away: no answer in time"
        return ""

    async def _check_models(self) -> str:
        state = await self._models.health(_CHECK_SECONDS)
        if state.status == "connected":
            return ""
        return f"models can't be used: {state.error}"

    async def _find_executors(self) -> list[SandboxInfo]:
        try:
            return [_sandbox_info(body) for body in await ping_services(self._inbox, EXECUTOR_SERVICE)]
        except WasmForgeError:
            return []


def _warnings(sandboxes: list[SandboxInfo]) -> list[str]:
    insecure = [sandbox.executor for sandbox in sandboxes if sandbox.sandbox != WASMEDGE]
    if not insecure:
        return []
    return [
        f"{len(insecure)} of {len(sandboxes)} executors run plugins WITHOUT A SANDBOX, in plain processes: that is for "
        "development only"
    ]


async def ping_services(inbox: Inbox, name: str) -> list[bytes]:
    """The answers of all services of this name to a ping (ADR-32)."""
    answers = await ask_all(
        inbox,
        f"$SRV.PING.{name}",
        all_seconds=_ALL_ANSWERS_SECONDS,
        quiet_seconds=_QUIET_SECONDS,
        most=_MAX_SERVICES,
    )
    return [msg.data for msg in answers]


class _Ping(msgspec.Struct):
    """What is of interest in a ping's answer, which may be anybody's."""

    id: str = ""
    metadata: dict[str, str] = {}


def _sandbox_info(body: bytes) -> SandboxInfo:
    try:
        ping = msgspec.json.decode(body, type=_Ping)
        missing = msgspec.json.decode(ping.metadata.get("confinement_missing") or "{}", type=dict[str, str])
    except (msgspec.MsgspecError, ValueError):
        ping, missing = _Ping(), {}
    return SandboxInfo(
        executor=ping.id,
        engine=ping.metadata.get("engine", ""),
        confinement=ping.metadata.get("confinement", ""),
        layers=ping.metadata.get("confinement_layers", "").split(),
        missing=missing,
        sandbox=ping.metadata.get("sandbox", WASMEDGE),
    )
