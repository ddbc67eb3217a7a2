"""Listening for HTTP: uvicorn with this project's settings, stopped in order."""

import asyncio
import contextlib
import logging
import resource
import signal
import socket
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp

from gateway.protocol import BoundedProtocol
from gateway.settings import Settings

log = logging.getLogger(__name__)

_BACKLOG = 2048
_KEEP_ALIVE_SECONDS = 75
_FILES = 65_536


class AddressTaken(Exception):
    """The address to listen on can't be had; the message says what to do."""


def listen(settings: Settings) -> socket.socket:
    """A listening socket.

    Raises:
        AddressTaken: says which address and what to set instead.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((settings.host, settings.port))
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise AddressTaken(
            f"can't listen on {settings.host}:{settings.port} ({error.strerror or error}): "
            "set WASMFORGE_HTTP to a free address, for example 127.0.0.1:8001"
        ) from None
    return listener


class Server(uvicorn.Server):
    """uvicorn's server without its own signal handling, which would end the process by the signal, not by exit 0."""

    def __init__(self, app: ASGIApp, stop_seconds: float) -> None:
        config = uvicorn.Config(
            app,
            http=BoundedProtocol,
            ws="none",
            lifespan="off",
            interface="asgi3",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            backlog=_BACKLOG,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=max(1, round(stop_seconds)),
        )
        super().__init__(config)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def stop(self) -> None:
        """Take no new connections, finish what runs."""
        self.should_exit = True


def stop_signal() -> asyncio.Event:
    """Set by SIGTERM or SIGINT."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    return stopped


def allow_many_connections() -> None:
    """Raise this process's soft limit of open files; each connection is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
