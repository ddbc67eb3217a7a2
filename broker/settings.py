"""Settings of the broker, read once from the environment."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from broker.budgets import Limits
from broker.catalog import Catalog, Model
from broker.http.address import Address
from schemas.environment import read_log_level, read_number
from schemas.errors import InvalidInput
from schemas.limits import CEILINGS, MIB

_PASSWORD = re.compile(r"//[^/@]*@")
_EXAMPLE = '[{"name": "llama3.2:latest", "type": "text", "description": "summaries"}]'


@dataclass(frozen=True, slots=True)
class Settings:
    """What an operator may set; every field has the name of its environment variable beside it."""

    catalog: Catalog
    """``WASMFORGE_MODELS``: JSON list of the models that plugins may call, instead of the usual ones;
    ``WASMFORGE_MODEL_ALIASES``: ``name=model of a server``, several separated by commas; with ``name=one|another`` the
    first that is there answers."""
    nats: str = "nats://127.0.0.1:4222"
    """``WASMFORGE_NATS``: address of NATS, several separated by commas."""
    ollama: tuple[str, ...] = ("http://127.0.0.1:11434",)
    """``OLLAMA_URLS``: addresses of the model servers that speak Ollama's API, separated by commas; ``OLLAMA_URL``
    where there is one."""
    openai: tuple[str, ...] = ()
    """``WASMFORGE_OPENAI_URLS``: the same for those that speak OpenAI's: llama.cpp, vLLM and others."""
    openai_key: str | None = field(default=None, repr=False)
    """``WASMFORGE_OPENAI_KEY``: what they are shown, if they want to see a key."""
    parallel: int = 4
    """``WASMFORGE_AI_PARALLEL``: requests that a model server gets at once."""
    queued: int = 1024
    """``WASMFORGE_AI_QUEUE``: requests that may wait for that; more are refused as busy."""
    budgets: Limits = field(default_factory=Limits)
    """``WASMFORGE_BUDGETS``: JSON object, see docs/broker.md; none unless set."""
    cache_bytes: int = 64 * MIB
    """``WASMFORGE_AI_CACHE_MIB``: answers kept for requests that say ``cache``."""
    cache_seconds: float = 3_600.0
    """``WASMFORGE_AI_CACHE_SECONDS``: for how long."""
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
        openai = _urls(environment, "WASMFORGE_OPENAI_URLS")
        ollama = _urls(environment, "OLLAMA_URLS") or _urls(environment, "OLLAMA_URL")
        if not ollama and not openai:
            ollama = ("http://127.0.0.1:11434",)
        return cls(
            catalog=_catalog(environment),
            nats=environment.get("WASMFORGE_NATS") or "nats://127.0.0.1:4222",
            ollama=ollama,
            openai=openai,
            openai_key=_key(environment.get("WASMFORGE_OPENAI_KEY")),
            parallel=int(read_number(environment, "WASMFORGE_AI_PARALLEL", 4, 1, 1024)),
            queued=int(read_number(environment, "WASMFORGE_AI_QUEUE", 1024, 0, 65536)),
            budgets=Limits.parse(environment.get("WASMFORGE_BUDGETS") or ""),
            cache_bytes=int(read_number(environment, "WASMFORGE_AI_CACHE_MIB", 64, 0, 65536) * MIB),
            cache_seconds=read_number(environment, "WASMFORGE_AI_CACHE_SECONDS", 3_600.0, 0.0, 30 * 86_400.0),
            stop_seconds=read_number(environment, "WASMFORGE_STOP_SECONDS", 25.0, 0.0, 3600.0),
            log_level=read_log_level(environment.get("WASMFORGE_LOG") or "INFO"),
        )


def _catalog(environment: Mapping[str, str]) -> Catalog:
    aliases: dict[str, tuple[str, ...]] = {}
    for entry in (environment.get("WASMFORGE_MODEL_ALIASES") or "").split(","):
        if not entry.strip():
            continue
        name, equals, target = (part.strip() for part in entry.partition("="))
        targets = tuple(part.strip() for part in target.split("|"))
        if not (name and equals and all(targets)) or "=" in target:
            raise InvalidInput(
                f"WASMFORGE_MODEL_ALIASES has {entry.strip()!r}: give name=model, such as mistral:latest=smollm2:135m"
            )
        aliases[name] = targets
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


def _urls(environment: Mapping[str, str], name: str) -> tuple[str, ...]:
    urls: dict[str, str] = {}
    for entry in (environment.get(name) or "").split(","):
        text = entry.strip()
        if not text:
            continue
        try:
            address = Address.parse(text)
        except ValueError as error:
            shown = _PASSWORD.sub("//…@", text)
            raise InvalidInput(
                f"{name} is {shown!r} ({error}): give an address such as http://127.0.0.1:11434"
            ) from None
        # Twice the same server would get twice as many requests as it may.
        urls.setdefault(str(address), text.rstrip("/"))
    return tuple(urls.values())


def _key(text: str | None) -> str | None:
    if text and not (text.isascii() and text.isprintable()):
        raise InvalidInput("WASMFORGE_OPENAI_KEY has characters that can't be sent in a header")
    return text or None
