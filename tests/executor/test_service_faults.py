"""An executor whose surroundings fail: it says so, and recovers by itself."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from nats.aio.msg import Msg
from nats.errors import NoRespondersError
from nats.errors import TimeoutError as NatsTimeoutError

from executor.settings import BadSetting, Settings
from schemas import headers, subjects
from schemas.ai import ChatRequest, GenerateRequest
from tests.executor import processes
from tests.executor.cluster import Cluster, Reply, cluster, executor
from tests.executor.conftest import Engine
from tests.support.servers import RestartableNats
from tests.support.waiting import until

ECHO = "from platform_sdk import *\nsend_output(get_input_bytes())"
READS = """
import time
from platform_sdk import *
try:
    for text in stream_ai("m", "p"): print(text, end="", flush=True)
except AIError as error:
    print(error.code)
time.sleep(1)  # whoever is told connects again first
"""


async def _one_and_no_more(request: GenerateRequest | ChatRequest, msg: Msg) -> AsyncIterator[str]:
    yield "word "
    await asyncio.Event().wait()


async def _served(here: Cluster) -> Reply:
    """The first answer after a time without."""
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(NoRespondersError, NatsTimeoutError):
                return await here.call("echo", b"again", seconds=1)
            await asyncio.sleep(0)


async def test_an_executor_serves_again_after_nats_was_killed(
    own_nats: RestartableNats, engine: Engine, folder: Path
) -> None:
    url = own_nats.server.url
    async with cluster(url) as here, executor(url, engine, folder, slots=1) as process:
        await here.gateway.deploy("echo", ECHO)
        await here.gateway.deploy("reads", READS)
        assert (await here.call("echo", b"before")).body == b"before"
        here.broker.pieces = _one_and_no_more
        await here.nc.publish(subjects.function("reads"), b"", headers={headers.EXECUTION_ID: "reads"})
        await until(lambda: here.broker.serving == 1)
        await own_nats.restart()
        # What was on its way is lost, and said so at once.
        assert (await here.record("reads")).log.endswith("unavailable\n")
        assert (await _served(here)).body == b"again"
        asked = here.gateway.asked["echo"]
        assert asked >= 2, "what was known by name may have changed meanwhile"
        assert process.log.count("connected again") == 1
        assert "Traceback" not in process.log


async def test_an_executor_waits_for_nats_and_can_be_stopped_while_it_does(
    own_nats: RestartableNats, engine: Engine, folder: Path
) -> None:
    url = own_nats.server.url
    await own_nats.stop()
    async with (
        executor(url, engine, folder, wait=False, slots=1) as patient,
        executor(url, engine, folder, wait=False, slots=1) as stopped,
    ):
        await patient.until_logged("sandbox ready")
        await stopped.until_logged("sandbox ready")
        children = processes.children(stopped.pid)
        stopped.signal(signal.SIGTERM)
        assert await stopped.ended() == 0
        await processes.until_gone(*children)
        await own_nats.start()
        await patient.until_logged("takes calls")
        async with cluster(url) as here:
            await here.gateway.deploy("echo", ECHO)
            assert (await _served(here)).body == b"again"


async def test_a_base_killed_under_a_running_executor_fails_what_runs_and_nothing_else(
    own_nats: RestartableNats, engine: Engine, folder: Path
) -> None:
    url = own_nats.server.url
    async with cluster(url) as here, executor(url, engine, folder, slots=1) as process:
        await here.gateway.deploy("echo", ECHO)
        await here.gateway.deploy("runs", "print('runs', flush=True)\nwhile True: pass")
        (base,) = processes.children(process.pid)
        seen = []
        async for reply in here.stream("runs", stream=1):
            seen.append(reply)
            if reply.event == "log":
                os.kill(base, signal.SIGKILL)
        assert seen[-1].headers[headers.ERROR_TYPE] == "runtime_error", seen[-1].body
        assert (await here.call("echo", b"next")).body == b"next"


async def test_a_better_engine_is_taken_up_while_calls_run(
    own_nats: RestartableNats, engine: Engine, folder: Path, tmp_path: Path
) -> None:
    url = own_nats.server.url
    worse, better = (tmp_path / engine.best.name.replace(engine.best.name[-5:-3], level) for level in ("O0", "O2"))
    worse.symlink_to(engine.best)
    own = Engine(engine.wasmedge, tmp_path, worse)
    async with cluster(url) as here, executor(url, own, folder, slots=2) as process:
        await here.gateway.deploy("echo", ECHO)
        await process.until_logged(f"engine {worse.name}")
        better.symlink_to(engine.best)
        calls = 0
        async with asyncio.timeout(30):
            while f"moved over to engine {better.name}" not in process.log:
                assert (await here.call("echo", b"%d" % calls)).body == b"%d" % calls
                calls += 1
        assert calls > 10
        for number in range(10):
            assert (await here.call("echo", b"%d" % number)).body == b"%d" % number


async def test_an_engine_that_does_not_boot_is_said_once_and_not_used(
    own_nats: RestartableNats, engine: Engine, folder: Path, tmp_path: Path
) -> None:
    url = own_nats.server.url
    worse, better = (tmp_path / engine.best.name.replace(engine.best.name[-5:-3], level) for level in ("O0", "O2"))
    worse.symlink_to(engine.best)
    own = Engine(engine.wasmedge, tmp_path, worse)
    async with cluster(url) as here, executor(url, own, folder, slots=1) as process:
        await here.gateway.deploy("echo", ECHO)
        better.write_bytes(b"\x7fELF broken")
        await process.until_logged(f"engine {better.name} is not used")
        assert (await here.call("echo", b"still")).body == b"still"


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"WASMFORGE_SLOTS": "many"}, "WASMFORGE_SLOTS is 'many', a whole number from 1 to 4096 is needed"),
        ({"WASMFORGE_SLOTS": "0"}, "WASMFORGE_SLOTS is '0'"),
        ({"WASMFORGE_QUEUE": "-1"}, "WASMFORGE_QUEUE is '-1'"),
        (
            {"WASMFORGE_ENGINES": "/nonexistent"},
            "no compiled engine for this machine in /nonexistent: run 'make setup'",
        ),
        ({"WASMFORGE_WASMEDGE": "/nonexistent"}, "no WasmEdge in /nonexistent: run 'make setup'"),
        ({"WASMFORGE_LOG": "LOUD"}, "LOUD"),
    ],
)
async def test_what_stops_it_from_starting_is_one_sentence(
    engine: Engine, environment: dict[str, str], said: str
) -> None:
    base = {"WASMFORGE_ENGINES": str(engine.engines), "WASMFORGE_WASMEDGE": str(engine.wasmedge)}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "executor", env=base | environment, stderr=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )  # fmt: skip
    _, errors = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 1
    assert errors.decode().startswith("executor: ")
    assert said in errors.decode()
    assert len(errors.splitlines()) == 1


def test_settings_come_from_the_mapping_alone() -> None:
    settings = Settings.read({"HOME": "/home/x", "XDG_CACHE_HOME": "/cache", "WASMFORGE_SLOTS": " 3 "})
    assert settings.slots == 3
    assert settings.engines == Path("/cache/wasmforge/engines")
    assert settings.nats_url == "nats://127.0.0.1:4222"
    settings = Settings.read({"WASMFORGE_CACHE": "/c", "WASMFORGE_ENGINES": "/e", "WASMFORGE_NATS": "nats://n:1"})
    assert (settings.engines, settings.nats_url) == (Path("/e"), "nats://n:1")
    with pytest.raises(BadSetting, match="WASMFORGE_QUEUE"):
        Settings.read({"WASMFORGE_QUEUE": "1.5"})
