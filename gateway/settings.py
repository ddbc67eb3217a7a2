"""Settings of the gateway, read once from the environment."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from schemas.environment import read_log_level, read_number
from schemas.errors import InvalidInput
from schemas.limits import CEILINGS, Limits, read_ceilings

BUILT_WEB_APP = Path(__file__).resolve().parent / "web" / "dist"
_TRUE = ("1", "true", "yes", "on")


@dataclass(frozen=True)
class Settings:
    """What an operator may set; every field has the name of its environment variable beside it."""

    nats: str = "nats://127.0.0.1:4222"
    """``WASMFORGE_NATS``: address of NATS, several separated by commas."""
    public_nats: str | None = None
    """``WASMFORGE_PUBLIC_NATS``: address of NATS that users are told, if they reach it by another."""
    host: str = "127.0.0.1"
    port: int = 8000
    """``WASMFORGE_HTTP``: ``host:port`` or ``http://host:port`` to listen on; port 0 takes a free one."""
    database: str = "postgresql://127.0.0.1:5432/wasmforge"
    """``WASMFORGE_DATABASE``: DSN of PostgreSQL; ``?host=/folder`` names a unix socket."""
    database_connections: int = 8
    """``WASMFORGE_DATABASE_CONNECTIONS``: connections to PostgreSQL at most."""
    ceilings: Limits = CEILINGS
    """``WASMFORGE_CEILINGS``: JSON object, the highest limits a plugin may ask for."""
    web: Path = BUILT_WEB_APP
    """The built web app; plain pages are served where it is not there."""
    log_level: str = "INFO"
    """``WASMFORGE_LOG``."""
    access_log: bool = False
    """``WASMFORGE_ACCESS_LOG``: one line at INFO for every request."""
    stop_seconds: float = 25.0
    """``WASMFORGE_STOP_SECONDS``: how long running requests may go on after SIGTERM."""

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "Settings":
        """Settings out of environment variables.

        Raises:
            InvalidInput: a variable can't be used; the message names it and shows a good value.
        """
        host, port = parse_address(environment.get("WASMFORGE_HTTP") or "127.0.0.1:8000")
        return cls(
            nats=environment.get("WASMFORGE_NATS") or cls.nats,
            public_nats=environment.get("WASMFORGE_PUBLIC_NATS") or None,
            host=host,
            port=port,
            database=environment.get("WASMFORGE_DATABASE") or cls.database,
            database_connections=int(read_number(environment, "WASMFORGE_DATABASE_CONNECTIONS", 8, 1, 1000)),
            ceilings=read_ceilings(environment),
            log_level=read_log_level(environment.get("WASMFORGE_LOG") or "INFO"),
            access_log=environment.get("WASMFORGE_ACCESS_LOG", "").lower() in _TRUE,
            stop_seconds=read_number(environment, "WASMFORGE_STOP_SECONDS", 25.0, 0.0, 3600.0),
        )


def parse_address(text: str) -> tuple[str, int]:
    """Host and port out of ``host:port``, ``[::1]:port``, ``http://host:port`` or ``:port``.

    Raises:
        InvalidInput: there is no port, or it is not one.
    """
    bare = text.strip().removeprefix("http://").rstrip("/")
    host, separator, port = bare.rpartition(":")
    if not separator or not port.isdecimal() or int(port) > 65535:
        raise InvalidInput(f"WASMFORGE_HTTP is {text!r}: give host:port, for example 127.0.0.1:8000")
    return host.strip("[]") or "127.0.0.1", int(port)
