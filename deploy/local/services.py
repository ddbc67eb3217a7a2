"""The platform's own services as processes: which program, with which environment."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from deploy.local import ports
from deploy.local.loader import interpreter
from deploy.local.process import Child, Command, spawn
from deploy.local.settings import OTHER_MODELS, Settings
from deploy.places import PROJECT

EMBEDDED_MODEL = "smollm2:135m"
MAPPED_MODELS = ("mistral:latest", "qwen2.5:1.5b", "gemma2:2b", "llama3.2:latest")
"""Models of the original that the embedded one answers for."""

_OF_BROKER = ("OLLAMA_URL", *OTHER_MODELS, "WASMFORGE_OPENAI_KEY")
"""Where the models are, and what they are shown, is nobody else's business."""


class Service(Protocol):
    """Something that can be started, and started again."""

    @property
    def name(self) -> str:
        """What people call it; unique in a stack."""

    async def start(self) -> Child:
        """Start it.

        Raises:
            StartFailed: it can't start.
        """


@dataclass(frozen=True)
class PythonService:
    """A module of this project that runs as a process."""

    name: str
    module: str
    environment: Mapping[str, str]
    log: Path
    interpreter: Sequence[str] = (sys.executable,)
    arguments: Sequence[str] = ()
    background: bool = False

    async def start(self) -> Child:
        """Start it; whether it is ready, /health says."""
        argv = [*self.interpreter, "-m", self.module, *self.arguments]
        return await spawn(Command(argv, self.environment, self.log, directory=PROJECT, background=self.background))


class Services:
    """Makes the services of one stack, all with the same addresses."""

    def __init__(
        self, settings: Settings, nats_url: str, database: str, ollama_url: str, aliases: str, *, embedded: bool = False
    ) -> None:
        self._settings = settings
        self._log = settings.places.state / "log"
        host, port = settings.http_address
        self._environment = dict(settings.environment) | {
            "WASMFORGE_NATS": nats_url,
            "WASMFORGE_HTTP": f"[{host}]:{port}" if ":" in host else f"{host}:{port}",
            "WASMFORGE_MODEL_ALIASES": aliases,
            "WASMFORGE_WASMEDGE": str(settings.places.wasmedge),
            "WASMFORGE_ENGINES": str(settings.places.engines),
            "WASMFORGE_CACHE": str(settings.places.cache),
            "PYTHONUNBUFFERED": "1",
        }
        if not settings.other_models:
            self._environment["OLLAMA_URL"] = ollama_url
        if embedded:
            # What waits, waits in the broker, which is fair; the model server takes one after the other.
            slots = settings.environment.get("WASMFORGE_MODELSERVER_SLOTS") or "2"
            self._environment.setdefault("WASMFORGE_AI_PARALLEL", slots)
        # Only the gateway speaks to the database.
        self._environment.pop("WASMFORGE_DATABASE", None)
        self._database = database

    def gateway(self) -> PythonService:
        """HTTP in, NATS out."""
        environment = {key: value for key, value in self._environment.items() if key not in _OF_BROKER}
        environment |= {"WASMFORGE_DATABASE": self._database}
        return PythonService("gateway", "gateway", environment, self._log / "gateway.log")

    def broker(self) -> PythonService:
        """NATS in, model server out."""
        return PythonService("broker", "broker", self._environment, self._log / "broker.log")

    def executor(self, number: int) -> PythonService:
        """One replica."""
        name = f"executor-{number}"
        environment = {key: value for key, value in self._environment.items() if key not in _OF_BROKER}
        return PythonService(name, "executor", environment, self._log / f"{name}.log")


def modelserver(settings: Settings, host: str, port: int) -> PythonService:
    """The embedded model server, listening on ``host:port``."""
    environment = dict(settings.environment) | {
        "WASMFORGE_MODELSERVER": ports.reachable(host, port),
        "WASMFORGE_CACHE": str(settings.places.cache),
        "PYTHONUNBUFFERED": "1",
    }
    log = settings.places.state / "log" / "modelserver.log"
    # Without WasmEdge its libraries are not there either; the system's own have to do.
    python = interpreter(settings.places.wasmedge) if settings.places.sandboxed else [sys.executable]
    return PythonService("modelserver", "deploy.modelserver", environment, log, interpreter=python)
