"""The gateway's parts, put together, started and stopped in order."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import nats.errors
from nats.aio.client import Client
from starlette.types import ASGIApp

from gateway.app import create_app
from gateway.database import Database
from gateway.inbox import Inbox
from gateway.link import Link
from gateway.plugins import PluginStore
from gateway.revisions import Revisions
from gateway.server import Server, listen, stop_signal
from gateway.settings import Settings
from gateway.sources import source_service
from schemas.errors import Unavailable
from schemas.micro import Service

log = logging.getLogger(__name__)

_DRAIN_SECONDS = 5.0
_LAST_ANSWERS_SECONDS = 2.0


class Gateway:
    """Everything but HTTP: the connections to NATS and PostgreSQL, made in the background."""

    def __init__(self, settings: Settings) -> None:
        self.inbox = Inbox()
        self.database = Database(settings.database, settings.database_connections)
        self.store = PluginStore(self.database)
        self.app: ASGIApp = create_app(settings, self.inbox, self.store, Revisions(self.database))
        self._link = Link(settings.nats, self._connected, self._lost)
        self._sources: Service | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Connect in the background; on leaving, finish what executors asked for, then close."""
        tasks = [asyncio.create_task(self._link.run()), asyncio.create_task(self.database.run())]
        for task in tasks:
            task.add_done_callback(_say_if_failed)
        try:
            yield
        finally:
            # Without a connection there is nobody to finish for.
            with contextlib.suppress(Unavailable, nats.errors.Error, TimeoutError):
                self.inbox.connection()
                if self._sources is not None:
                    async with asyncio.timeout(_DRAIN_SECONDS + 1):
                        await self._sources.drain(_DRAIN_SECONDS)
            self.inbox.close()
            await _end(tasks)
            await self._link.close()
            await self.database.close()

    async def _connected(self, client: Client) -> None:
        await self.inbox.attach(client)
        self._sources = source_service(client, self.store)
        await self._sources.start()

    def _lost(self) -> None:
        self.inbox.fail_all("NATS went away during the call: it may or may not have run")


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    """Cancel until they are done: `asyncio.wait_for` of Python 3.11 may lose a cancellation, and libraries use it."""
    while running := [task for task in tasks if not task.done()]:
        for task in running:
            task.cancel()
        await asyncio.wait(running, timeout=0.2)


def _say_if_failed(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("a background task ended, restart the gateway: %r", error, exc_info=error)


async def serve(settings: Settings) -> None:
    """Listen, and serve until SIGTERM or SIGINT.

    Raises:
        AddressTaken: the address to listen on can't be had.
    """
    listener = listen(settings)
    stopped = stop_signal()
    host, port = listener.getsockname()[:2]
    gateway = Gateway(settings)
    # Beyond its time every call still waiting is answered with an error before uvicorn cuts connections.
    server = Server(gateway.app, settings.stop_seconds + _LAST_ANSWERS_SECONDS)
    async with gateway.running():
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        stopping = asyncio.create_task(stopped.wait())
        log.info("listening on http://%s:%d", f"[{host}]" if ":" in host else host, port)
        await asyncio.wait((serving, stopping), return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        server.stop()
        if not serving.done():
            log.info("stopping: no new connections, %d calls are running", gateway.inbox.waiting)
            await asyncio.wait((serving,), timeout=settings.stop_seconds)
            gateway.inbox.fail_all("this gateway is being stopped, try again")
        await serving
    log.info("stopped")
