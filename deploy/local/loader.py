"""This Python with the libraries that came with WasmEdge in reach."""

import os
import sys
from pathlib import Path

from deploy.local.process import StartFailed


def interpreter(wasmedge: Path) -> list[str]:
    """First words of a command line: this Python, its virtual environment included, started by the folder's own loader.

    The model server's engine needs libgomp and libstdc++, which a minimal Debian lacks.

    Args:
        wasmedge: folder that WasmEdge's packages were unpacked into, their C library included.

    Raises:
        StartFailed: they are not there.
    """
    loaders = [*wasmedge.glob("usr/lib64/ld-linux-*.so.*"), *wasmedge.glob("usr/lib/ld-linux-*.so.*")]
    libraries = sorted(wasmedge.glob("usr/lib/*-linux-gnu"))
    if not loaders or not libraries:
        raise StartFailed(
            f"there is no WasmEdge in {wasmedge}; run `make setup`, or set WASMFORGE_WASMEDGE to its folder"
        )
    # Python finds its virtual environment by the name it was called by, not by the file that the loader opens.
    program = os.path.realpath(sys.executable)
    return [str(loaders[0]), "--argv0", sys.executable, "--library-path", str(libraries[0]), program]
