"""PostgreSQL: migrations once and in order, and a database that goes away and comes back."""

import asyncio
import os
import signal
from pathlib import Path

import asyncpg
import pytest

from gateway.database import Database
from gateway.migrations import Migration, MigrationRefused, known_migrations, migrate
from gateway.settings import Settings
from schemas.errors import Unavailable
from tests.gateway.conftest import Running, running_gateway
from tests.gateway.scripted import scripted_executor
from tests.support.servers import RestartablePostgres

ONE = Migration("0001_one.sql", "CREATE TABLE one (id integer)")
TWO = Migration("0002_two.sql", "CREATE TABLE two (id integer)")


async def applied(dsn: str) -> list[str]:
    connection = await asyncpg.connect(dsn)
    rows = await connection.fetch("SELECT name FROM schema_migrations ORDER BY name")
    await connection.close()
    return [row["name"] for row in rows]


async def test_each_migration_once_and_in_order(database_dsn: str) -> None:
    connection = await asyncpg.connect(database_dsn)
    assert await migrate(connection, [ONE]) == ["0001_one.sql"]
    assert await migrate(connection, [ONE, TWO]) == ["0002_two.sql"]
    assert await migrate(connection, [ONE, TWO]) == []
    await connection.close()
    assert await applied(database_dsn) == ["0001_one.sql", "0002_two.sql"]


async def test_many_gateways_at_once_migrate_once(database_dsn: str) -> None:
    connections = [await asyncpg.connect(database_dsn) for _ in range(8)]
    done = await asyncio.gather(*(migrate(connection) for connection in connections))
    assert sorted(name for names in done for name in names) == [migration.name for migration in known_migrations()]
    for connection in connections:
        await connection.close()


async def test_two_gateways_start_on_an_empty_database(own_nats_url: str, database_dsn: str) -> None:
    settings = Settings(nats=own_nats_url, database=database_dsn)
    async with running_gateway(settings) as one, running_gateway(settings) as two:
        assert (await one.http.get("/api/plugins/list")).json() == []
        assert (await two.http.get("/api/plugins/list")).json() == []


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ([Migration(ONE.name, "CREATE TABLE changed (id integer)"), TWO], "0001_one.sql was changed"),
        ([ONE], "0002_two.sql, which this version does not know"),
        ([ONE, Migration("0001_p.sql", "SELECT 1"), TWO], "0001_p.sql comes before"),
    ],
)
async def test_what_does_not_belong_together_is_refused(database_dsn: str, known: list[Migration], said: str) -> None:
    connection = await asyncpg.connect(database_dsn)
    await migrate(connection, [ONE, TWO])
    with pytest.raises(MigrationRefused, match=said):
        await migrate(connection, known)
    # The lock was given back.
    assert await migrate(connection, [ONE, TWO]) == []
    await connection.close()


async def test_a_migration_that_fails_leaves_nothing_behind(database_dsn: str) -> None:
    connection = await asyncpg.connect(database_dsn)
    broken = Migration(TWO.name, "CREATE TABLE two (id integer); SELECT no_such_function()")
    with pytest.raises(asyncpg.UndefinedFunctionError):
        await migrate(connection, [ONE, broken])
    assert await migrate(connection, [ONE, TWO]) == [TWO.name]
    await connection.close()


async def test_a_refused_database_is_said_to_the_caller(own_nats_url: str, database_dsn: str) -> None:
    connection = await asyncpg.connect(database_dsn)
    await migrate(connection, [Migration("9999_later.sql", "SELECT 1")])
    await connection.close()
    async with running_gateway(Settings(nats=own_nats_url, database=database_dsn), wait=False) as running:
        async with asyncio.timeout(10):
            while "9999_later.sql" not in (reply := await running.http.get("/api/plugins/list")).text:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert reply.status_code == 503
        health = (await running.http.get("/health")).json()
        assert any("9999_later.sql" in problem for problem in health["problems"])


async def test_a_database_killed_and_back(own_nats_url: str, own_postgres: RestartablePostgres) -> None:
    settings = Settings(nats=own_nats_url, database=own_postgres.server.dsn())
    async with scripted_executor(own_nats_url), running_gateway(settings) as running:
        files = {"file": ("kept.py", b"v = 1")}
        assert (await running.http.post("/api/plugins/upload", files=files)).status_code == 200
        await own_postgres.kill()
        for method, path in (
            ("GET", "/api/plugins/list"),
            ("GET", "/api/plugins/kept/code"),
            ("DELETE", "/api/plugins/kept"),
            ("POST", "/api/plugins/upload"),
        ):
            async with asyncio.timeout(2):
                reply = await running.http.request(method, path, files=files if method == "POST" else None)
            assert reply.status_code == 503, reply.text
            assert "PostgreSQL is away" in reply.json()["detail"]
            assert reply.headers["retry-after"]
        # Calls need no database.
        assert (await running.http.post("/fn/kept", content=b"x")).status_code == 200
        await own_postgres.start()
        await running.until("database")
        assert [plugin["name"] for plugin in (await running.http.get("/api/plugins/list")).json()] == ["kept"]


async def test_a_gateway_that_starts_before_its_database(own_nats_url: str, own_postgres: RestartablePostgres) -> None:
    await own_postgres.kill()
    settings = Settings(nats=own_nats_url, database=own_postgres.server.dsn())
    async with running_gateway(settings, wait=False) as running:
        async with asyncio.timeout(1):
            assert (await running.http.get("/api/plugins/list")).status_code == 503
        await own_postgres.start()
        await running.until("database")
        assert (await running.http.get("/api/plugins/list")).json() == []


async def test_a_database_that_was_replaced_by_an_empty_one(own_nats_url: str, database_dsn: str) -> None:
    async with running_gateway(Settings(nats=own_nats_url, database=database_dsn)) as running:
        connection = await asyncpg.connect(database_dsn)
        await connection.execute("DROP TABLE plugins, revisions, schema_migrations CASCADE")
        await connection.close()
        assert (await running.http.get("/api/plugins/list")).status_code == 503
        await _until_listed(running)


async def _until_listed(running: Running) -> None:
    async with asyncio.timeout(10):
        while (await running.http.get("/api/plugins/list")).status_code != 200:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_a_database_that_does_not_answer_is_not_waited_for_long() -> None:
    server = await asyncio.get_running_loop().create_server(asyncio.Protocol, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    database = Database(f"postgresql://user@127.0.0.1:{port}/silent", 2)
    running = asyncio.create_task(database.run())
    async with asyncio.timeout(1):
        with pytest.raises(Unavailable):
            async with database.connection():
                pass
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    server.close()


async def test_a_frozen_database_is_said_within_seconds(own_nats_url: str, own_postgres: RestartablePostgres) -> None:
    settings = Settings(nats=own_nats_url, database=own_postgres.server.dsn())
    async with running_gateway(settings) as running:
        processes = _family(own_postgres.pid)
        try:
            for process in processes:
                os.kill(process, signal.SIGSTOP)
            async with asyncio.timeout(8):
                reply = await running.http.get("/api/plugins/list")
            assert reply.status_code == 503, reply.text
            async with asyncio.timeout(1.5):
                health = (await running.http.get("/health")).json()
            assert health["database"] is False
        finally:
            for process in processes:
                os.kill(process, signal.SIGCONT)
        await running.until("database")


def _family(pid: int) -> list[int]:
    """A process and all its descendants."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(found for child in children for found in _family(int(child)))]
