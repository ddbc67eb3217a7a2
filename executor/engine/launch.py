"""How a process that holds WasmEdge is started.

WasmEdge comes unpacked from Debian's packages together with the C library it was built for. The process starts
through that folder's own loader, so that nothing of the system is replaced or needed.
"""

import os
import sys
from pathlib import Path


class NoWasmEdge(Exception):
    """There is no usable WasmEdge in the folder."""


def launcher(wasmedge: Path) -> list[str]:
    """First words of a command line that starts this machine's Python with WasmEdge in reach.

    Args:
        wasmedge: folder the packages were unpacked into.

    Raises:
        NoWasmEdge: the folder has no loader or no libwasmedge.
    """
    loaders = sorted((wasmedge / "usr" / "lib").glob("ld-linux-*.so.*"))
    loaders += sorted((wasmedge / "usr" / "lib64").glob("ld-linux-*.so.*"))
    libraries = sorted((wasmedge / "usr" / "lib").glob("*-linux-gnu"))
    if not loaders or not libraries or not (libraries[0] / "libwasmedge.so.0").exists():
        raise NoWasmEdge(f"no WasmEdge in {wasmedge}: run 'make setup', or set WASMFORGE_WASMEDGE to its folder")
    # A Python built with a shared libpython finds it by an rpath, which the foreign loader honours too.
    python = os.path.realpath(sys.executable)
    return [str(loaders[0]), "--library-path", str(libraries[0]), python]
