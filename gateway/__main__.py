"""``python -m gateway``: the gateway as a process; SIGTERM stops it in order."""

import logging
import os
import sys

import uvloop

from gateway.server import AddressTaken, allow_many_connections
from gateway.service import serve
from gateway.settings import Settings
from schemas.errors import InvalidInput


class _Line(logging.Formatter):
    """``LEVEL service: text``."""

    def __init__(self) -> None:
        super().__init__("%(levelname)s gateway: %(message)s")


def main() -> int:
    """Run until told to stop; returns the exit status."""
    try:
        settings = Settings.read(os.environ)
    except InvalidInput as error:
        print(f"ERROR gateway: {error}", file=sys.stderr)
        return 2
    handler = logging.StreamHandler()
    handler.setFormatter(_Line())
    logging.basicConfig(level=settings.log_level, handlers=[handler])
    # uvicorn says at INFO what the lines of this service say already.
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    allow_many_connections()
    try:
        uvloop.run(serve(settings))
    except AddressTaken as error:
        logging.getLogger("gateway").error("%s", error)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
