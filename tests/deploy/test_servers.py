"""The launchers of NATS and PostgreSQL: ready when they say so, nothing lost by a kill, nothing left behind."""

import os
import signal
import sys
from pathlib import Path

import asyncpg
import nats
import pytest

from deploy.local import ports
from deploy.local.identity import NOBODY, Identity, as_nobody, in_namespace
from deploy.local.nats import NatsServer
from deploy.local.postgres import PostgresServer
from deploy.local.process import Command, StartFailed, spawn
from schemas.limits import MAX_PAYLOAD_BYTES
from tests.support.servers import RestartableNats, RestartablePostgres


async def test_nats_takes_large_messages_and_has_jetstream(nats_url: str) -> None:
    client = await nats.connect(nats_url)
    try:
        assert client.max_payload == MAX_PAYLOAD_BYTES
        info = await client.jetstream().account_info()
        assert info.limits.max_storage == -1
    finally:
        await client.close()


async def test_nats_keeps_its_port_and_streams_through_a_kill(own_nats: RestartableNats) -> None:
    url = own_nats.server.url
    client = await nats.connect(url)
    stream = client.jetstream()
    await stream.add_stream(name="kept", subjects=["kept.>"])
    await stream.publish("kept.one", b"1")
    await client.close()
    await own_nats.restart()
    assert own_nats.server.url == url
    client = await nats.connect(url)
    try:
        assert (await client.jetstream().stream_info("kept")).state.messages == 1
    finally:
        await client.close()


async def test_postgres_listens_on_its_socket_only_and_survives_a_kill(own_postgres: RestartablePostgres) -> None:
    connection = await asyncpg.connect(own_postgres.server.dsn())
    assert await connection.fetchval("SHOW listen_addresses") == ""
    await connection.execute("CREATE TABLE kept (n int)")
    await connection.execute("INSERT INTO kept VALUES (7)")
    await connection.close()
    await own_postgres.restart()
    connection = await asyncpg.connect(own_postgres.server.dsn())
    assert await connection.fetchval("SELECT n FROM kept") == 7
    await connection.close()


async def test_the_real_stack_writes_durably(short_folder: Path) -> None:
    sockets = short_folder / "s"
    sockets.mkdir(mode=0o700)
    async with PostgresServer(short_folder / "pg", sockets).run() as server:
        connection = await asyncpg.connect(server.dsn())
        assert [await connection.fetchval(f"SHOW {name}") for name in ("fsync", "synchronous_commit")] == ["on", "on"]
        await connection.close()


async def test_postgres_runs_as_this_user_and_leaves_its_files_to_them(own_postgres: RestartablePostgres) -> None:
    data = Path(f"/proc/{own_postgres.pid}/cwd").resolve()
    # In a chroot root has to become nobody; elsewhere the files stay root's.
    owners = (os.geteuid(), NOBODY) if os.geteuid() == 0 else (os.geteuid(),)
    assert (data / "PG_VERSION").stat().st_uid in owners
    assert data.stat().st_mode & 0o077 == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to become somebody else")
@pytest.mark.parametrize("first", [in_namespace, as_nobody])
async def test_root_runs_postgres_in_closed_folders_in_either_way_and_may_change_it(
    short_folder: Path, first: Identity
) -> None:
    if first is in_namespace and not await _may_have_namespaces(short_folder):
        pytest.skip("no user namespaces here: a chroot, or a container")
    sockets, closed = short_folder / "s", short_folder / "closed"
    for folder in (sockets, closed):
        folder.mkdir(mode=0o700)
    for way in (first, as_nobody, first):
        async with PostgresServer(closed / "pg", sockets, durable=False, identity=way).run() as server:
            connection = await asyncpg.connect(server.dsn())
            await connection.execute("CREATE TABLE IF NOT EXISTS kept AS SELECT 7 AS n")
            assert await connection.fetchval("SELECT n FROM kept") == 7
            await connection.close()
    assert closed.stat().st_mode & 0o777 == 0o700


async def _may_have_namespaces(folder: Path) -> bool:
    child = await spawn(Command(["/bin/true"], os.environ, folder / "log", identity=in_namespace))
    return await child.wait() == 0


async def test_a_lock_file_of_a_dead_server_is_not_believed(own_postgres: RestartablePostgres) -> None:
    data = Path(f"/proc/{own_postgres.pid}/cwd").resolve()
    lock = (data / "postmaster.pid").read_text().splitlines()
    await own_postgres.kill()
    # The process id now belongs to something else that runs: this test.
    (data / "postmaster.pid").write_text("\n".join([str(os.getpid()), *lock[1:]]) + "\n")
    await own_postgres.start()


async def test_a_database_is_empty_and_ones_own(database_dsn: str) -> None:
    connection = await asyncpg.connect(database_dsn)
    assert await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == 0
    await connection.close()


async def test_a_taken_port_is_named_with_its_variable(nats_url: str) -> None:
    host, port = ports.split(nats_url, "WASMFORGE_NATS")
    with pytest.raises(StartFailed, match=rf"port {port} on 127\.0\.0\.1 is taken .* WASMFORGE_NATS"):
        ports.check_free(host, port, "WASMFORGE_NATS")


async def test_a_second_nats_on_one_port_says_why(nats_url: str, short_folder: Path) -> None:
    _, port = ports.split(nats_url, "WASMFORGE_NATS")
    with pytest.raises(StartFailed, match="NATS did not start"):
        await NatsServer(short_folder / "nats", port=port).start()


@pytest.mark.parametrize("address", ["nowhere", "127.0.0.1:", "127.0.0.1:99999", "127.0.0.1:x"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(StartFailed, match="WASMFORGE_HTTP"):
        ports.split(address, "WASMFORGE_HTTP")


async def test_a_stop_that_is_ignored_becomes_a_kill(short_folder: Path) -> None:
    ready = short_folder / "ready"
    code = (
        "import pathlib, signal, sys; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "pathlib.Path(sys.argv[1]).touch(); signal.pause()"
    )
    child = await spawn(Command([sys.executable, "-c", code, str(ready)], os.environ, short_folder / "log"))
    while not ready.exists():
        assert child.returncode is None
        os.sched_yield()
    assert await child.stop(0.1) == -signal.SIGKILL


async def test_a_program_that_is_not_there_is_named(short_folder: Path) -> None:
    with pytest.raises(StartFailed, match="/no/such/program"):
        await spawn(Command(["/no/such/program"], os.environ, short_folder / "log"))
