"""A gateway that listens on a port of its own, with real NATS and PostgreSQL behind it."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from pathlib import Path

import asyncpg
import httpx
import pytest

from deploy.local.nats import NatsServer
from deploy.local.postgres import PostgresServer
from gateway.server import Server, listen
from gateway.service import Gateway
from gateway.settings import BUILT_WEB_APP, Settings
from tests.gateway.scripted import Executor, scripted_executor

NOWHERE = "nats://127.0.0.1:1"
NO_DATABASE = "postgresql://127.0.0.1:1/none"


@dataclass
class Running:
    """A gateway in this process, reached over TCP."""

    gateway: Gateway
    settings: Settings
    http: httpx.AsyncClient
    port: int
    server: Server

    async def until(self, what: str, wanted: bool = True) -> None:
        """Wait until a part (``nats``, ``database``) is there, or away."""
        async with asyncio.timeout(20):
            while await self._has(what) is not wanted:  # noqa: ASYNC110
                await asyncio.sleep(0.01)

    async def _has(self, what: str) -> bool:
        try:
            if what == "nats":
                self.gateway.inbox.connection()
            else:
                await self.gateway.store.ping()
        except Exception:
            return False
        return True


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that has no event of its own."""
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def running_gateway(settings: Settings, *, wait: bool = True) -> AsyncIterator[Running]:
    """A gateway that serves until the end of the block."""
    if settings.web == BUILT_WEB_APP:
        # Whether it has been built on this machine must not matter.
        settings = replace(settings, web=BUILT_WEB_APP / "nowhere")
    gateway = Gateway(settings)
    listener = listen(replace(settings, port=0))
    port = listener.getsockname()[1]
    server = Server(gateway.app, 5)
    async with (
        gateway.running(),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20, trust_env=False) as http,
    ):
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        running = Running(gateway, settings, http, port, server)
        if wait:
            await running.until("nats")
            if settings.database != NO_DATABASE:
                await running.until("database")
        yield running
        await http.aclose()
        gateway.inbox.fail_all("the test is over")
        server.stop()
        await serving


GatewayFactory = Callable[..., AbstractAsyncContextManager[Running]]


@pytest.fixture(scope="session")
async def _shared(own_nats_url: str, _postgres: PostgresServer) -> AsyncIterator[Running]:
    connection = await asyncpg.connect(_postgres.dsn("postgres"))
    await connection.execute("CREATE DATABASE gateway_tests")
    await connection.close()
    settings = Settings(nats=own_nats_url, database=_postgres.dsn("gateway_tests"))
    async with running_gateway(settings) as running:
        yield running


@pytest.fixture
def calls(_shared: Running) -> Running:
    """A gateway that all tests share, for tests that store nothing."""
    return _shared


@pytest.fixture
async def gateway(_shared: Running) -> Running:
    """The same gateway, without any plugins."""
    connection = await asyncpg.connect(_shared.settings.database)
    await connection.execute("TRUNCATE plugins, revisions")
    await connection.close()
    return _shared


@pytest.fixture
async def executor(own_nats_url: str) -> AsyncIterator[Executor]:
    """A scripted executor on the same NATS."""
    async with scripted_executor(own_nats_url) as scripted:
        yield scripted


@pytest.fixture(scope="session")
async def own_nats_url(session_folder: Path) -> AsyncIterator[str]:
    """NATS of these tests alone: the gateway that they share would answer for other tests' plugins."""
    async with NatsServer(session_folder / "gateway-nats").run() as server:
        yield server.url


@dataclass
class Process:
    """A gateway as a process of its own."""

    process: asyncio.subprocess.Process
    url: str


@contextlib.asynccontextmanager
async def gateway_process(nats: str, database: str, **extra: str) -> AsyncIterator[Process]:
    """``python -m gateway`` until the end of the block; yields when it listens."""
    environment = os.environ | {
        "WASMFORGE_NATS": nats,
        "WASMFORGE_DATABASE": database,
        "WASMFORGE_HTTP": "127.0.0.1:0",
        **extra,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "gateway", env=environment, stderr=asyncio.subprocess.PIPE
    )
    assert process.stderr is not None
    try:
        async with asyncio.timeout(20):
            line = b""
            while b"listening on " not in line:
                line = await process.stderr.readline()
                assert line, "the gateway ended before it listened"
        yield Process(process, line.split(b"listening on ")[1].strip().decode())
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()
