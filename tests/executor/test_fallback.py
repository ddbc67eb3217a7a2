"""Plugins without a sandbox: asked for by name they run, are told apart, and are never what a failure leads to."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from executor.check import check_source
from executor.fallback.base import SubprocessBase, interpreter
from executor.kinds import CannotUse, kind_of
from executor.pool import Pool
from executor.settings import BadSetting, Settings
from schemas import headers
from schemas.ai import GenerateReply
from tests.executor import processes
from tests.executor.cluster import cluster, executor
from tests.executor.conftest import Engine
from tests.executor.sandboxed import Bus, Runner
from tests.support.waiting import until

NOWHERE = Path("/nowhere")


@pytest.fixture(scope="module")
async def pool() -> AsyncIterator[Pool]:
    made = Pool(NOWHERE, interpreter(), SubprocessBase.boot)
    await made.use_engine(interpreter())
    yield made
    await made.close()


@pytest.fixture(scope="module")
def run(pool: Pool) -> Runner:
    return Runner(pool)


async def test_input_output_log_and_a_model(run: Runner) -> None:
    async def answer(subject: str, body: bytes) -> bytes:
        return msgspec.json.encode(GenerateReply("m", "four", "m"))

    ran = await run(
        """
        import sys
        from platform_sdk import *
        print("asking")
        print("aside", file=sys.stderr)
        send_output(call_ai("m", "2+2?"))
        send_output(get_input())
        """,
        "grüße\n",
        bus=Bus(answer),
    )
    assert ran.text == "four\ngrüße\n"
    assert ran.log == "asking\naside\n"
    assert ran.pieces == [b"four", "\ngrüße\n".encode()]
    assert ran.outcome.ai_calls == 1
    assert ran.outcome.run_us > 0


async def test_what_is_printed_is_the_output_of_a_plugin_that_sends_none(run: Runner) -> None:
    assert (await run("print(input())", "line\nmore")).text == "line\n"


async def test_each_call_is_another_process(run: Runner) -> None:
    source = "import sys, platform_sdk\nprint(getattr(sys, 'mark', 'none')); sys.mark = 'left'"
    first, second = await run(source), await run(source)
    assert (first.text, second.text) == ("none\n", "none\n")
    assert first.pid != second.pid
    await processes.until_gone(first.pid, second.pid)


@pytest.mark.parametrize(
    ("source", "error_type", "text"),
    [
        ("def f():\n    1 / 0\nf()", "plugin_error", 'File "plugin.py", line 2, in f'),
        ("import sys; sys.exit(4)", "plugin_error", "exit status 4"),
        ("import os; os._exit(3)", "plugin_error", "exit status 3"),
        ("x = bytearray(10**9)", "out_of_memory", "MemoryError"),
        ("from platform_sdk import *\nsend_output('x' * 2_000_000)", "output_too_large", "1,048,576"),
        ("open('/etc/passwd')", "sandbox_violation", "no files"),
        ("open('made', 'w')", "sandbox_violation", "no files"),
        ("import os; os.listdir('/')", "sandbox_violation", "no files"),
        ("import os; os.system('true')", "sandbox_violation", "processes"),
        ("import subprocess; subprocess.run(['true'])", "sandbox_violation", "does not support processes"),
        ("import socket; socket.create_connection(('127.0.0.1', 9))", "sandbox_violation", "no network"),
        ("import threading; threading.Thread(target=print).start()", "sandbox_violation", "one thread"),
        ("import ctypes", "sandbox_violation", "native code"),
        ("import msgspec", "plugin_error", "No module named 'msgspec'"),
        ("import executor", "plugin_error", "No module named 'executor'"),
    ],
)
async def test_errors_are_those_of_the_sandbox(run: Runner, source: str, error_type: str, text: str) -> None:
    ran = await run(source)
    assert (ran.error_type, text in ran.error) == (error_type, True), ran.error


async def test_asyncio_and_the_standard_library_work(run: Runner) -> None:
    ran = await run("""
        import asyncio, dataclasses, decimal, email, hashlib, json, re, sqlite3
        async def main():
            await asyncio.sleep(0.01)
            return hashlib.sha256(b"").hexdigest()[:6]
        print(asyncio.run(main()))
    """)
    assert ran.text == "e3b0c4\n"


async def test_time_and_cpu_time_end_it(run: Runner) -> None:
    late = await run("while True: pass", timeout_ms=700)
    assert (late.error_type, late.error) == ("timeout", "the time is up")
    await processes.until_gone(late.pid)
    busy = await run("while True: pass", cpu_ms=300)
    assert "300 ms of CPU time" in busy.error


async def test_a_source_is_checked_as_in_the_sandbox(pool: Pool) -> None:
    assert (await check_source(pool, "import json, platform_sdk")).ok
    refused = await check_source(pool, "x = 1\nimport requests\n")
    assert (refused.ok, refused.line) == (False, 2)
    assert "no module 'requests'" in refused.message
    assert not (await check_source(pool, "import ctypes")).ok
    assert (await check_source(pool, "if x\n")).line == 1


async def test_nothing_of_the_executors_environment_gets_there(run: Runner) -> None:
    assert (await run("import os; print(dict(os.environ))")).text in ("{}\n", "{'LC_CTYPE': 'C.UTF-8'}\n")


async def test_a_process_ends_with_its_executor(tmp_path: Path) -> None:
    program = (
        "import asyncio\n"
        "from pathlib import Path\n"
        "from executor.fallback.base import SubprocessBase, interpreter\n"
        "from executor.pool import Pool\n"
        "from tests.executor.sandboxed import Runner\n"
        "async def main():\n"
        "    run = Runner(Pool(Path('/nowhere'), interpreter(), SubprocessBase.boot))\n"
        "    await run('while True: pass')\n"
        "asyncio.run(main())\n"
    )
    owner = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    )
    await until(lambda: bool(processes.children(owner.pid)))
    children = processes.children(owner.pid)
    owner.kill()
    await owner.wait()
    await processes.until_gone(*children)


async def test_an_executor_says_loudly_that_it_has_no_sandbox(nats_url: str, engine: Engine, folder: Path) -> None:
    nowhere = Engine(NOWHERE, NOWHERE, NOWHERE)
    async with cluster(nats_url) as here:
        await here.gateway.deploy("shout", "from platform_sdk import *\nsend_output(get_input().upper())")
        async with executor(nats_url, nowhere, folder, sandbox="insecure-subprocess") as process:
            assert "WARNING executor: PLUGINS RUN WITHOUT A SANDBOX" in process.log
            replies = [await here.call("shout", b"abc") for _ in range(2)]
            assert [reply.body for reply in replies] == [b"ABC", b"ABC"]
            ping = msgspec.json.decode((await here.nc.request("$SRV.PING.wasmforge-executor", timeout=5)).data)
            assert ping["metadata"]["sandbox"] == "insecure-subprocess"
            assert "webassembly" in ping["metadata"]["confinement_missing"]
            assert headers.get_phases(replies[0].headers)["run"] > 0


@pytest.mark.parametrize("given", [{}, {"WASMFORGE_SANDBOX": "wasmedge"}, {"WASMFORGE_SANDBOX": ""}])
def test_a_sandbox_that_is_not_there_is_never_replaced_by_none(given: dict[str, str], engine: Engine) -> None:
    for places in (
        {"WASMFORGE_ENGINES": "/nowhere", "WASMFORGE_WASMEDGE": str(engine.wasmedge)},
        {"WASMFORGE_ENGINES": str(engine.engines), "WASMFORGE_WASMEDGE": "/nowhere"},
    ):
        with pytest.raises(CannotUse, match="make setup") as refused:
            kind_of(Settings.read(given | places))
        assert "WASMFORGE_SANDBOX=insecure-subprocess" in str(refused.value)


@pytest.mark.parametrize("name", ["none", "subprocess", "WASMEDGE", "insecure"])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(BadSetting, match="insecure-subprocess"):
        Settings.read({"WASMFORGE_SANDBOX": name})


async def test_an_executor_without_wasmedge_does_not_start(nats_url: str, folder: Path) -> None:
    async with executor(nats_url, Engine(NOWHERE, NOWHERE, NOWHERE), folder, wait=False) as process:
        assert await process.ended() == 1
        assert "no compiled engine" in process.log


async def test_required_confinement_refuses_it(nats_url: str, engine: Engine, folder: Path) -> None:
    settings = {"sandbox": "insecure-subprocess", "confinement": "required"}
    async with executor(nats_url, engine, folder, wait=False, **settings) as process:
        assert await process.ended() == 1
        assert "confinement is required" in process.log
