"""Where compiled engines lie, and what a file name there promises.

``<key>-O<level>.so``, where the key is a digest of everything the machine code depends on: the prepared module, the
WasmEdge that compiled it, and the processor it was compiled for.
"""

import hashlib
import platform
from pathlib import Path

from executor.engine.module import EXPORTS, SHA256

WASMEDGE_VERSION = "0.14.1"
LEVELS = (2, 0)
"""Optimisation levels in use, best first. O1 crashes the compiler of 0.14.1, O3 gains nothing over O2."""


def engine_key() -> str:
    """Digest of module, exports, WasmEdge version and processor; the same on two machines of one kind."""
    parts = [SHA256, repr(EXPORTS), WASMEDGE_VERSION, platform.machine(), *_cpu()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def engine_path(engines: Path, level: int) -> Path:
    """Where the engine compiled at ``level`` lies."""
    return engines / f"{engine_key()}-O{level}.so"


def best_engine(engines: Path) -> Path | None:
    """The best engine that is there, or None."""
    for level in LEVELS:
        path = engine_path(engines, level)
        if path.exists():
            return path
    return None


def _cpu() -> list[str]:
    """Model and instruction sets, since machine code for one processor may not run on another."""
    try:
        info = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return [platform.processor()]
    wanted = {"model name", "flags", "Features", "CPU part"}
    found: dict[str, str] = {}
    for line in info.splitlines():
        name, _, value = line.partition(":")
        found.setdefault(name.strip(), value.strip())
    return [found[name] for name in sorted(wanted & found.keys())]
