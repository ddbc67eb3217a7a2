"""What runs in the sandbox before any plugin: `boot` by itself (``python -c``), and the modules that it is handed.

They are for CPython 3.12, need the standard library only, and import one another relatively, so that it does not matter
what the package is called that holds them: there is no file system to load them from.
"""

from pathlib import Path

MODULES = (
    "channel", "clocks", "absent", "errors", "sdk", "loop", "streams", "bundle", "tree", "reach", "importer", "files",
    "imports", "resolve", "prepare", "serve", "check",
)  # fmt: skip
"""In the order in which they import one another."""


def arguments(sdk: str) -> list[bytes]:
    """The arguments with which the interpreter boots, ``sdk`` being the source of ``platform_sdk``."""
    folder = Path(__file__).parent
    sources = [(folder / f"{name}.py").read_bytes() for name in MODULES]
    named = [part for name, source in zip(MODULES, sources, strict=True) for part in (name.encode(), source)]
    return [b"python", b"-I", b"-S", b"-B", b"-c", (folder / "boot.py").read_bytes(), sdk.encode(), *named]
