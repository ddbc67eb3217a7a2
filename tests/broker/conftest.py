"""Model servers good and bad, and a broker before each."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from nats.aio.client import Client

from schemas import bus
from tests.broker.asking import Caller, serving
from tests.broker.misbehaving import Misbehaving
from tests.modelserver.running import ModelServer, running_modelserver


@pytest.fixture
async def nc(nats_url: str) -> AsyncIterator[Client]:
    """A connection to NATS."""
    nc = await bus.connect(nats_url, "test")
    yield nc
    await nc.close()


@pytest.fixture
def caller(nc: Client) -> Caller:
    """Somebody on NATS."""
    return Caller(nc)


@pytest.fixture
async def server() -> AsyncIterator[Misbehaving]:
    """A model server to be told what to do; it begins by behaving well."""
    async with Misbehaving().running() as server:
        yield server


@pytest.fixture
async def broker(nc: Client, server: Misbehaving) -> AsyncIterator[None]:
    """A broker before it."""
    async with serving(nc, server.url):
        yield


@pytest.fixture(scope="session")
async def embedded(session_folder: Path) -> AsyncIterator[ModelServer]:
    """The embedded model server."""
    async with running_modelserver(session_folder) as server:
        yield server


@pytest.fixture(scope="session")
async def stub(session_folder: Path) -> AsyncIterator[ModelServer]:
    """The stand-in without a model that benchmarks use."""
    server = ModelServer(session_folder)
    server.run_instead([sys.executable, "-m", "bench.stub_modelserver", "--port", str(server.port)])
    try:
        await server.start()
        yield server
    finally:
        await server.stop()
