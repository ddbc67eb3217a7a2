"""What the model server is told by its environment."""

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deploy.modelserver.origins import is_loopback

DEFAULT_ADDRESS = "127.0.0.1:11435"

SLOTS = 2
"""Generations at once: the model is small enough that a third would only slow all of them down."""

QUEUED = 64
"""Requests that may wait for a slot."""

CONTEXT_TOKENS = 4096
"""Context of one slot, prompt and answer together. Ollama's own default."""

MAX_THREADS = 2
"""More threads gain little with so small a model; a machine's other cores serve the platform."""


class BadSetting(ValueError):
    """An environment variable can't be used; the message says which and why."""


@dataclass(frozen=True)
class Settings:
    """Settings of the model server."""

    host: str
    port: int
    cache_folder: Path
    """Where the result of the model file's check is remembered."""
    slots: int = SLOTS
    queued: int = QUEUED
    context_tokens: int = CONTEXT_TOKENS
    threads: int = MAX_THREADS
    log_level: str = "INFO"

    @property
    def on_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        return is_loopback(f"//[{self.host}]" if ":" in self.host else f"//{self.host}")

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "Settings":
        """Settings out of environment variables.

        Raises:
            BadSetting: a variable has a value that can't be used.
        """
        host, port = _address(environment.get("WASMFORGE_MODELSERVER") or DEFAULT_ADDRESS)
        return cls(
            host=host,
            port=port,
            cache_folder=_cache_folder(environment),
            slots=_number(environment, "WASMFORGE_MODELSERVER_SLOTS", SLOTS, 1, 16),
            queued=_number(environment, "WASMFORGE_MODELSERVER_QUEUE", QUEUED, 0, 4096),
            threads=min(MAX_THREADS, len(os.sched_getaffinity(0))),
            log_level=_log_level(environment),
        )


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not host or not (port.isascii() and port.isdecimal()) or int(port) > 65535:
        raise BadSetting(f"WASMFORGE_MODELSERVER is {text!r}, it must be host:port such as {DEFAULT_ADDRESS}")
    return host.strip("[]"), int(port)


def _number(environment: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    text = environment.get(name) or str(default)
    if not (text.isascii() and text.isdecimal() and least <= int(text) <= most):
        raise BadSetting(f"{name} is {text!r}, it must be a number from {least} to {most}")
    return int(text)


def _cache_folder(environment: Mapping[str, str]) -> Path:
    if folder := environment.get("WASMFORGE_CACHE"):
        return Path(folder)
    base = environment.get("XDG_CACHE_HOME") or str(Path(environment.get("HOME") or "~").expanduser() / ".cache")
    return Path(base) / "wasmforge"


def _log_level(environment: Mapping[str, str]) -> str:
    level = (environment.get("WASMFORGE_LOG") or "INFO").upper()
    if level not in logging.getLevelNamesMapping():
        raise BadSetting(f"WASMFORGE_LOG is {level!r}, use DEBUG, INFO, WARNING or ERROR")
    return level
