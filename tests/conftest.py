"""Fixtures that start real servers; everything lies in temporary folders and is gone afterwards."""

import shutil
import signal
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from deploy.local.nats import NatsServer
from deploy.local.postgres import PostgresServer
from tests.support.platform import Platform, platform
from tests.support.servers import Restartable, RestartableNats, RestartablePostgres


def pytest_configure() -> None:
    """Let the processes that tests start hear SIGINT, also where a script started the tests in the background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def session_folder() -> Iterator[Path]:
    """A folder with a short path, for the length of the session: pytest's own are too long for sockets."""
    with tempfile.TemporaryDirectory(prefix="wf-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """A folder with a short path, for one test."""
    folder = Path(tempfile.mkdtemp(prefix="wf-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
async def nats_url(session_folder: Path) -> AsyncIterator[str]:
    """Address of a NATS server with JetStream that the whole session shares."""
    async with NatsServer(session_folder / "nats").run() as server:
        yield server.url


@pytest.fixture(scope="session")
async def _postgres(session_folder: Path) -> AsyncIterator[PostgresServer]:
    sockets = session_folder / "pgs"
    sockets.mkdir(mode=0o700)
    async with PostgresServer(session_folder / "pg", sockets, durable=False).run() as server:
        yield server


@pytest.fixture
async def database_dsn(_postgres: PostgresServer) -> AsyncIterator[str]:
    """Address of an empty PostgreSQL database of the test's own."""
    name = f"test_{uuid.uuid4().hex}"
    connection = await asyncpg.connect(_postgres.dsn("postgres"))
    try:
        await connection.execute(f'CREATE DATABASE "{name}"')
        yield _postgres.dsn(name)
        await connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    finally:
        await connection.close()


@pytest.fixture
async def own_nats(short_folder: Path) -> AsyncIterator[RestartableNats]:
    """A running NATS server of the test's own, to kill and start again; ``own_nats.server.url``."""
    server = Restartable(NatsServer(short_folder / "nats"))
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def own_postgres(short_folder: Path) -> AsyncIterator[RestartablePostgres]:
    """A running PostgreSQL server of the test's own, to kill and start again; ``own_postgres.server.dsn()``."""
    sockets = short_folder / "s"
    sockets.mkdir(mode=0o700)
    server = Restartable(PostgresServer(short_folder / "pg", sockets, durable=False))
    await server.start()
    yield server
    await server.stop()


@pytest.fixture(scope="session")
async def stack(session_folder: Path) -> AsyncIterator[Platform]:
    """The whole platform with two executors, shared by the session: leave it as you found it."""
    async with platform(session_folder / "stack") as running:
        yield running


@pytest.fixture
async def own_stack(short_folder: Path) -> AsyncIterator[Platform]:
    """The whole platform with two executors, for one test that breaks it."""
    async with platform(short_folder) as running:
        yield running
