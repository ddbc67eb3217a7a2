"""A gateway that listens on a port of its own, with real NATS and PostgreSQL behind it."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace

import httpx
import pytest

from gateway.server import Server, listen
from gateway.service import Gateway
from gateway.settings import Settings
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

    async def until(self, what: str, wanted: bool = True) -> None:
        """Wait until a part (``nats``, ``database``) is there, or away."""
        async with asyncio.timeout(20):
            while await self._has(what) is not wanted:
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


@contextlib.asynccontextmanager
async def running_gateway(settings: Settings, *, wait: bool = True) -> AsyncIterator[Running]:
    """A gateway that serves until the end of the block."""
    gateway = Gateway(settings)
    listener = listen(replace(settings, port=0))
    port = listener.getsockname()[1]
    server = Server(gateway.app, 5)
    async with (
        gateway.running(),
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=20, trust_env=False) as http,
    ):
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        running = Running(gateway, settings, http, port)
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


@pytest.fixture
async def gateway(own_nats_url: str, database_dsn: str) -> AsyncIterator[Running]:
    """A gateway with everything but an executor."""
    async with running_gateway(Settings(nats=own_nats_url, database=database_dsn)) as running:
        yield running


@pytest.fixture
async def calls(own_nats_url: str) -> AsyncIterator[Running]:
    """A gateway without a database: calls need none."""
    async with running_gateway(Settings(nats=own_nats_url, database=NO_DATABASE)) as running:
        yield running


@pytest.fixture
async def executor(own_nats_url: str) -> AsyncIterator[Executor]:
    """A scripted executor on the same NATS."""
    async with scripted_executor(own_nats_url) as scripted:
        yield scripted


@pytest.fixture(scope="session")
def own_nats_url(nats_url: str) -> str:
    """NATS for tests that leave nothing running behind them."""
    return nats_url


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
