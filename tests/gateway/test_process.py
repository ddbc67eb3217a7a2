"""The gateway as a process: start without its parts, SIGTERM, and what it says when it can't start."""

import asyncio
import os
import signal
import sys

import httpx
import pytest

from gateway.settings import Settings, parse_address
from schemas.errors import InvalidInput
from tests.gateway.conftest import NO_DATABASE, NOWHERE, gateway_process
from tests.gateway.scripted import Call, scripted_executor


async def test_it_listens_at_once_and_stops_with_status_0() -> None:
    async with gateway_process(NOWHERE, NO_DATABASE) as running:
        async with httpx.AsyncClient(trust_env=False) as http, asyncio.timeout(5):
            reply = await http.get(f"{running.url}/health")
        assert reply.json()["status"] == "degraded"
        running.process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(running.process.wait(), 10) == 0


async def test_sigterm_finishes_what_runs_and_takes_nothing_new(nats_url: str) -> None:
    release = asyncio.Event()

    async def slowly(call: Call) -> None:
        await release.wait()
        await call.reply(b"finished")

    async with scripted_executor(nats_url) as executor, gateway_process(nats_url, NO_DATABASE) as running:
        executor.script = slowly
        async with httpx.AsyncClient(base_url=running.url, trust_env=False, timeout=20) as http:
            plain = asyncio.create_task(_call_until_connected(http))
            await executor.called.wait()
            running.process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(10):
                while await _connects(running.url):  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            release.set()
            reply = await plain
            assert (reply.status_code, reply.text) == (200, "finished")
        assert await asyncio.wait_for(running.process.wait(), 10) == 0


async def test_sigterm_does_not_wait_for_ever(nats_url: str) -> None:
    async def alive(call: Call) -> None:
        while True:
            await call.event("heartbeat")
            await asyncio.sleep(0.2)  # a heartbeat's rhythm

    async with (
        scripted_executor(nats_url) as executor,
        gateway_process(nats_url, NO_DATABASE, WASMFORGE_STOP_SECONDS="0.5") as running,
    ):
        executor.script = alive
        async with httpx.AsyncClient(base_url=running.url, trust_env=False, timeout=20) as http:
            plain = asyncio.create_task(_call_until_connected(http))
            await executor.called.wait()
            running.process.send_signal(signal.SIGTERM)
            reply = await plain
            assert reply.status_code == 503
            assert "being stopped" in reply.json()["error"]
        assert await asyncio.wait_for(running.process.wait(), 10) == 0


async def _call_until_connected(http: httpx.AsyncClient) -> httpx.Response:
    while "not connected" in (reply := await http.post("/fn/f", content=b"x")).text:  # noqa: ASYNC110
        await asyncio.sleep(0.02)
    return reply


async def _connects(url: str) -> bool:
    host, port = parse_address(url)
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    return True


async def _run(**environment: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway",
        env=os.environ | environment,
        stderr=asyncio.subprocess.PIPE,
    )
    _, said = await asyncio.wait_for(process.communicate(), 20)
    assert process.returncode is not None
    return process.returncode, said.decode()


async def test_a_taken_port_is_said_in_one_sentence() -> None:
    taken = await asyncio.get_running_loop().create_server(asyncio.Protocol, "127.0.0.1", 0)
    port = taken.sockets[0].getsockname()[1]
    status, said = await _run(WASMFORGE_HTTP=f"127.0.0.1:{port}")
    taken.close()
    assert status == 1
    assert said.count("\n") == 1
    assert f"can't listen on 127.0.0.1:{port}" in said
    assert "WASMFORGE_HTTP" in said


async def test_a_setting_that_can_not_be_used_is_said_in_one_sentence() -> None:
    status, said = await _run(WASMFORGE_HTTP="nonsense")
    assert status == 2
    assert said == "ERROR gateway: WASMFORGE_HTTP is 'nonsense': give host:port, for example 127.0.0.1:8000\n"


def test_settings_are_read_from_a_mapping() -> None:
    assert Settings.read({}) == Settings()
    settings = Settings.read(
        {
            "WASMFORGE_NATS": "nats://a:1,nats://b:2",
            "WASMFORGE_HTTP": "http://0.0.0.0:9000/",
            "WASMFORGE_DATABASE": "postgresql:///w?host=/run/pg",
            "WASMFORGE_CEILINGS": '{"memory_bytes": 1073741824}',
            "WASMFORGE_LOG": "warning",
            "WASMFORGE_ACCESS_LOG": "1",
            "WASMFORGE_STOP_SECONDS": "3.5",
            "WASMFORGE_DATABASE_CONNECTIONS": "3",
        }
    )
    assert (settings.nats, settings.host, settings.port) == ("nats://a:1,nats://b:2", "0.0.0.0", 9000)
    assert settings.database == "postgresql:///w?host=/run/pg"
    assert settings.ceilings.memory_bytes == 1073741824
    assert (settings.log_level, settings.access_log) == ("WARNING", True)
    assert (settings.stop_seconds, settings.database_connections) == (3.5, 3)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WASMFORGE_HTTP", "127.0.0.1"),
        ("WASMFORGE_HTTP", "127.0.0.1:99999"),
        ("WASMFORGE_CEILINGS", "nonsense"),
        ("WASMFORGE_CEILINGS", '{"speed": 1}'),
        ("WASMFORGE_LOG", "LOUD"),
        ("WASMFORGE_STOP_SECONDS", "nan"),
        ("WASMFORGE_STOP_SECONDS", "-1"),
        ("WASMFORGE_DATABASE_CONNECTIONS", "0"),
    ],
)
def test_settings_that_can_not_be_used(name: str, value: str) -> None:
    with pytest.raises(InvalidInput, match=name):
        Settings.read({name: value})


def test_addresses() -> None:
    assert parse_address("[::1]:80") == ("::1", 80)
    assert parse_address(":8080") == ("127.0.0.1", 8080)
