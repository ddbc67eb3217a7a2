"""The kinds of sandbox that an executor can be told to use. One that can't be had is never replaced by another."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from executor.backend import BaseFailed, Boot
from executor.base import BaseProcess
from executor.engine.cache import best_engine
from executor.engine.launch import NoWasmEdge, launcher
from executor.fallback import base as fallback
from executor.settings import INSECURE, Settings

_ELSEWHERE = (
    "If this machine can't have it: WASMFORGE_SANDBOX=insecure-subprocess runs plugins without any isolation, which is "
    "for trying your own and nothing else"
)


class CannotUse(Exception):
    """This kind can't be used here; the message says what to do."""


@dataclass(frozen=True)
class Kind:
    """How processes for plugins are made."""

    boot: Boot
    engine: Path
    """What they run on now."""
    best_engine: Callable[[], Path | None]
    """What they would best run on from now on; a better one may appear."""
    warning: str = ""
    """What must be said at every start."""


def kind_of(settings: Settings) -> Kind:
    """The kind that the settings name.

    Raises:
        CannotUse: it is not there.
    """
    if settings.sandbox == INSECURE:
        try:
            python = fallback.interpreter()
        except BaseFailed as error:
            raise CannotUse(str(error)) from None
        return Kind(fallback.SubprocessBase.boot, python, lambda: python, fallback.WARNING)
    engine = best_engine(settings.engines)
    if engine is None:
        raise CannotUse(f"no compiled engine for this machine in {settings.engines}: run 'make setup'. {_ELSEWHERE}")
    try:
        launcher(settings.wasmedge)
    except NoWasmEdge as error:
        raise CannotUse(f"{error}. {_ELSEWHERE}") from None
    return Kind(BaseProcess.boot, engine, lambda: best_engine(settings.engines))
