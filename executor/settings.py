"""What an operator can set, read once."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from executor.engine.cache import WASMEDGE_VERSION
from schemas.errors import InvalidInput
from schemas.limits import Limits, read_ceilings

INSECURE = "insecure-subprocess"
"""Name of the setting by which plugins run without a sandbox."""


class BadSetting(Exception):
    """A variable of the environment can't be used; the message names it."""


@dataclass(frozen=True)
class Settings:
    """Settings of an executor."""

    nats_url: str
    sandbox: str
    """``wasmedge``, or `INSECURE`, which has no isolation and is for development only."""
    wasmedge: Path
    """Folder that WasmEdge's packages were unpacked into."""
    engines: Path
    """Folder of compiled engines; a better one that appears is taken up."""
    slots: int
    """Calls that compute at once."""
    queue: int
    """Calls that may wait for a slot."""
    outside: int
    """Calls that may wait for a model at once; these hold memory, about 4 MiB each, but no slot."""
    ceilings: Limits
    """The highest limits that a draft may ask for; those of deployed plugins the gateway has checked."""
    confinement: str
    """``required``: start only with every layer of `executor.sandbox.confine` in force; ``best-effort``: with what the
    kernel allows, and say what is missing."""
    grace_seconds: float
    """How long running calls may take to finish after SIGTERM."""
    log_level: str

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "Settings":
        """Settings out of the environment.

        Raises:
            BadSetting: a value is missing or can't be used.
        """
        cache = Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wasmforge"
        cache = Path(environment.get("WASMFORGE_CACHE") or cache)
        wasmedge = environment.get("WASMFORGE_WASMEDGE") or _unpacked(cache)
        engines = environment.get("WASMFORGE_ENGINES") or cache / "engines"
        return cls(
            nats_url=environment.get("WASMFORGE_NATS") or "nats://127.0.0.1:4222",
            sandbox=_choice(environment, "WASMFORGE_SANDBOX", ("wasmedge", INSECURE)),
            wasmedge=Path(wasmedge),
            engines=Path(engines),
            slots=_number(environment, "WASMFORGE_SLOTS", 16, 1, 4096),
            queue=_number(environment, "WASMFORGE_QUEUE", 32, 0, 65536),
            outside=_number(environment, "WASMFORGE_OUTSIDE", 1000, 0, 65536),
            ceilings=_ceilings(environment),
            confinement=_choice(environment, "WASMFORGE_CONFINEMENT", ("best-effort", "required")),
            grace_seconds=_number(environment, "WASMFORGE_GRACE_SECONDS", 130, 0, 3600),
            log_level=environment.get("WASMFORGE_LOG") or "INFO",
        )


def _ceilings(environment: Mapping[str, str]) -> Limits:
    try:
        return read_ceilings(environment)
    except InvalidInput as error:
        raise BadSetting(str(error)) from None


def _unpacked(cache: Path) -> Path:
    """Where `make setup` has unpacked WasmEdge (`deploy.places`)."""
    found = cache.glob(f"wasmedge-{WASMEDGE_VERSION}-*-{os.uname().machine}")
    return max(found, default=cache / "wasmedge")


def _choice(environment: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    """One of ``choices``, the first if the variable is not set."""
    text = environment.get(name, "").strip() or choices[0]
    if text not in choices:
        raise BadSetting(f"{name} is {text!r}, one of {', '.join(choices)} is needed")
    return text


def _number(environment: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    text = environment.get(name, "").strip()
    if not text:
        return default
    if not text.isdecimal() or not least <= int(text) <= most:
        raise BadSetting(f"{name} is {text!r}, a whole number from {least} to {most} is needed")
    return int(text)


def interpreter_module() -> Path:
    """The folder that holds the packages, for a process that starts without this one's module path."""
    return Path(os.path.abspath(__file__)).parents[1]
