"""Settings of the broker, read once from the environment."""

from collections.abc import Mapping
from dataclasses import dataclass

import httpx
import msgspec

from broker.catalog import Catalog, Model
from schemas.environment import read_log_level, read_number
from schemas.errors import InvalidInput
from schemas.limits import CEILINGS

_EXAMPLE = '[{"name": "llama3.2:latest", "type": "text", "description": "summaries"}]'


@dataclass(frozen=True, slots=True)
class Settings:
    """What an operator may set; every field has the name of its environment variable beside it."""

    catalog: Catalog
    """``WASMFORGE_MODELS``: JSON list of the models that plugins may call, instead of the usual ones;
    ``WASMFORGE_MODEL_ALIASES``: ``name=model of the server``, several separated by commas."""
    nats: str = "nats://127.0.0.1:4222"
    """``WASMFORGE_NATS``: address of NATS, several separated by commas."""
    ollama: str = "http://127.0.0.1:11434"
    """``OLLAMA_URL``: address of the model server."""
    parallel: int = 4
    """``WASMFORGE_AI_PARALLEL``: calls of the model server at once."""
    queued: int = 64
    """``WASMFORGE_AI_QUEUE``: calls that may wait for that; more are refused as busy."""
    default_timeout_ms: int = 120_000
    """How long a call that names no time may take."""
    longest_timeout_ms: int = CEILINGS.timeout_ms
    """How long any call may take."""
    stop_seconds: float = 25.0
    """``WASMFORGE_STOP_SECONDS``: how long running calls may go on after SIGTERM."""
    log_level: str = "INFO"
    """``WASMFORGE_LOG``."""

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "Settings":
        """Settings out of environment variables.

        Raises:
            InvalidInput: a variable can't be used; the message names it and shows a good value.
        """
        return cls(
            catalog=_catalog(environment),
            nats=environment.get("WASMFORGE_NATS") or "nats://127.0.0.1:4222",
            ollama=_url(environment.get("OLLAMA_URL") or "http://127.0.0.1:11434"),
            parallel=int(read_number(environment, "WASMFORGE_AI_PARALLEL", 4, 1, 1024)),
            queued=int(read_number(environment, "WASMFORGE_AI_QUEUE", 64, 0, 65536)),
            stop_seconds=read_number(environment, "WASMFORGE_STOP_SECONDS", 25.0, 0.0, 3600.0),
            log_level=read_log_level(environment.get("WASMFORGE_LOG") or "INFO"),
        )


def _catalog(environment: Mapping[str, str]) -> Catalog:
    aliases: dict[str, str] = {}
    for entry in (environment.get("WASMFORGE_MODEL_ALIASES") or "").split(","):
        if not entry.strip():
            continue
        name, equals, target = (part.strip() for part in entry.partition("="))
        if not (name and equals and target) or "=" in target:
            raise InvalidInput(
                f"WASMFORGE_MODEL_ALIASES has {entry.strip()!r}: give name=model, such as mistral:latest=smollm2:135m"
            )
        aliases[name] = target
    text = environment.get("WASMFORGE_MODELS")
    if not text:
        return Catalog.usual(aliases)
    try:
        models = msgspec.json.decode(text, type=list[Model])
    except msgspec.MsgspecError as error:
        raise InvalidInput(f"WASMFORGE_MODELS: {error}. Give a JSON list such as {_EXAMPLE}") from None
    if not models or not all(model.name.strip() for model in models):
        raise InvalidInput(f"WASMFORGE_MODELS names no model. Give a JSON list such as {_EXAMPLE}")
    return Catalog(models, aliases)


def _url(text: str) -> str:
    try:
        url = httpx.URL(text if "://" in text else f"http://{text}")
    except httpx.InvalidURL as error:
        raise InvalidInput(
            f"OLLAMA_URL is {text!r} ({error}): give an address such as http://127.0.0.1:11434"
        ) from None
    if url.scheme not in ("http", "https") or not url.host or not 0 < (url.port or 80) < 65536:
        raise InvalidInput(f"OLLAMA_URL is {text!r}: give an address such as http://127.0.0.1:11434")
    return str(url).rstrip("/")
