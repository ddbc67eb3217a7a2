"""Settings of the local stack, read once from the environment."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from deploy.local import ports
from deploy.local.process import StartFailed
from deploy.places import Places

MAX_EXECUTORS = 64

OTHER_MODELS = ("OLLAMA_URLS", "WASMFORGE_OPENAI_URLS")
"""Settings of the broker that name model servers beside ``OLLAMA_URL``."""


@dataclass(frozen=True)
class Settings:
    """What the supervisor starts, and where it listens."""

    places: Places
    environment: Mapping[str, str]
    """What every service inherits."""
    nats_address: tuple[str, int]
    http_address: tuple[str, int]
    modelserver_address: tuple[str, int] | None
    """None: its usual one, or any free one."""
    database: str | None
    """A database of the user's own; None: the stack starts one."""
    ollama_url: str
    other_models: bool
    """Whether the user names model servers by other settings; then none is looked for or started."""
    model_aliases: str | None
    executors: int = 1
    durable: bool = field(default=True)
    """False gives up safety on a power loss; for tests."""

    @classmethod
    def read(cls, environment: Mapping[str, str], *, executors: int = 1) -> "Settings":
        """Settings as ``environment`` gives them.

        Raises:
            StartFailed: a value can't be used; names the variable.
        """
        if not 0 <= executors <= MAX_EXECUTORS:
            raise StartFailed(f"{executors} executors are not possible; choose 0 to {MAX_EXECUTORS}")
        model = environment.get("WASMFORGE_MODELSERVER")
        host, port = ports.split(environment.get("WASMFORGE_HTTP") or "127.0.0.1:8000", "WASMFORGE_HTTP")
        return cls(
            places=Places.read(environment),
            environment=dict(environment),
            nats_address=ports.split(environment.get("WASMFORGE_NATS") or "127.0.0.1:4222", "WASMFORGE_NATS"),
            http_address=(host, port or ports.find_free(host)),
            modelserver_address=ports.split(model, "WASMFORGE_MODELSERVER") if model else None,
            database=environment.get("WASMFORGE_DATABASE") or None,
            ollama_url=(environment.get("OLLAMA_URL") or "http://127.0.0.1:11434").rstrip("/"),
            other_models=any(map(environment.get, OTHER_MODELS)),
            model_aliases=environment.get("WASMFORGE_MODEL_ALIASES"),
            executors=executors,
        )

    @property
    def http_url(self) -> str:
        """Where this machine reaches the gateway."""
        return f"http://{ports.reachable(*self.http_address)}"
