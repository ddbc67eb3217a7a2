"""The command line ``wasmforge``."""

from sdk.cli.main import main

__all__ = ["main"]
