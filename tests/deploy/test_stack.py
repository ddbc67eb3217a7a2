"""The supervisor with the real services: what crashes comes back, what is scaled follows, nothing is lost or left."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from deploy.local import control, ports
from deploy.local.settings import Settings
from deploy.places import PROJECT
from tests.support.platform import Platform, platform
from tests.support.waiting import until

PLUGIN = b"from platform_sdk import get_input, send_output\nsend_output(get_input()[::-1])\n"


async def _deploy(url: str, name: str = "turn") -> None:
    async with httpx.AsyncClient(base_url=url, timeout=30) as http:
        reply = await http.post("/api/plugins/upload", files={"file": (f"{name}.py", PLUGIN)})
        assert reply.status_code == 200, reply.text


async def _call(url: str, name: str = "turn") -> str:
    async with httpx.AsyncClient(base_url=url, timeout=30) as http:
        reply = await http.post(f"/fn/{name}", content="abc")
        assert reply.status_code == 200, reply.text
        return reply.text


async def _until_called(url: str) -> None:
    async with asyncio.timeout(30), httpx.AsyncClient(base_url=url, timeout=10) as http:
        while True:
            with contextlib.suppress(httpx.TransportError):
                reply = await http.post("/fn/turn", content="abc")
                if reply.status_code == 200:
                    assert reply.text == "cba"
                    return
                assert reply.status_code in (500, 503), reply.text
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("name", ["gateway", "broker", "executor-1", "modelserver", "nats", "postgres"])
async def test_what_crashes_comes_back_and_calls_work_again(stack: Platform, name: str) -> None:
    await _deploy(stack.http_url)
    before = stack.pid(name)
    stack.kill(name)
    await until(lambda: stack.state_of(name) == "running" and stack.pid(name) != before)
    # Who is connected to it learns of its end a moment later than its supervisor.
    await _until_called(stack.http_url)
    await stack.wait_ready()
    assert any(report.startswith(f"{name} ended (SIGKILL)") for report in stack.reports)


async def test_executors_follow_the_scale_and_calls_go_on(stack: Platform) -> None:
    await _deploy(stack.http_url)
    await stack.scale(3)
    third = stack.pid("executor-3")
    assert await _call(stack.http_url) == "cba"
    await stack.scale(2)
    await until(lambda: "executor-3" not in stack.names())
    assert not Path(f"/proc/{third}").exists()
    assert await _call(stack.http_url) == "cba"


async def test_state_survives_a_restart_and_nothing_is_left_running(short_folder: Path) -> None:
    async with platform(short_folder, executors=1) as first:
        await _deploy(first.http_url)
        pids = [first.pid(name) for name in first.names()]
        groups = {os.getpgid(pid) for pid in pids}
    for group in groups:
        with pytest.raises(ProcessLookupError):
            os.killpg(group, 0)
    async with platform(short_folder, executors=1) as second:
        assert await _call(second.http_url) == "cba"


class Supervisor:
    """``python -m deploy.local`` as a user runs it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.http, self.nats = ports.find_free(), ports.find_free()
        self.environment = dict(os.environ) | {
            "WASMFORGE_STATE": str(folder / "state"),
            "WASMFORGE_HTTP": f"127.0.0.1:{self.http}",
            "WASMFORGE_NATS": f"nats://127.0.0.1:{self.nats}",
            "WASMFORGE_MODELSERVER": f"127.0.0.1:{ports.find_free()}",
            "OLLAMA_URL": f"http://127.0.0.1:{ports.find_free()}",
        }

    async def start(self, *arguments: str, **environment: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "deploy.local", *arguments),
            cwd=PROJECT,
            env=self.environment | environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )

    async def run(self, *arguments: str, **environment: str) -> tuple[int, str]:
        process = await self.start(*arguments, **environment)
        output, _ = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode is not None
        return process.returncode, output.decode()

    @contextlib.asynccontextmanager
    async def up(self, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
        process = await self.start("up", "executor=1", *arguments)
        try:
            await self.until(process, "is ready after")
            yield process
        finally:
            if process.returncode is None:
                process.terminate()
            await asyncio.wait_for(process.communicate(), 60)

    async def until(self, process: asyncio.subprocess.Process, text: str) -> str:
        """Read its output until ``text`` is in it."""
        seen = ""
        assert process.stdout is not None
        async with asyncio.timeout(60):
            while text not in seen:
                line = await process.stdout.readline()
                assert line, f"it ended without saying {text!r}:\n{seen}"
                seen += line.decode()
        return seen


@pytest.fixture
def supervisor(short_folder: Path) -> Supervisor:
    return Supervisor(short_folder)


async def test_from_up_to_down(supervisor: Supervisor) -> None:
    async with supervisor.up() as process:
        code, text = await supervisor.run("status", "--json")
        assert code == 0
        parts = {part["name"]: part for part in json.loads(text)["parts"]}
        assert set(parts) == {"nats", "postgres", "modelserver", "gateway", "broker", "executor-1"}
        assert {part["state"] for part in parts.values()} == {"running"}

        code, text = await supervisor.run("up")
        assert code == 1
        assert text.startswith(f"WasmForge runs already (process {process.pid}) at http://127.0.0.1:{supervisor.http}")

        assert (await supervisor.run("scale", "executor=2"))[0] == 0
        code, text = await supervisor.run("scale", "executor=65")
        assert (code, "0 to 64" in text) == (1, True)

        assert await supervisor.run("down") == (0, "Stopped\n")
        assert await asyncio.wait_for(process.wait(), 10) == 0
    assert all(not Path(f"/proc/{part['pid']}").exists() for part in parts.values())
    assert await supervisor.run("down") == (0, "WasmForge is not running\n")
    code, text = await supervisor.run("status")
    assert (code, text) == (1, "WasmForge is not running; start it with `make up`\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_stops_all_in_order(supervisor: Supervisor, number: signal.Signals) -> None:
    async with supervisor.up() as process:
        process.send_signal(number)
        rest = await supervisor.until(process, "Stopped")
        assert await asyncio.wait_for(process.wait(), 10) == 0
    assert "Stopping" in rest
    assert "starts again" not in rest


async def test_nothing_outlives_a_killed_supervisor_and_the_next_one_starts(supervisor: Supervisor) -> None:
    async with supervisor.up() as process:
        reply = await control.ask(supervisor.folder / "state", {"do": "status"})
        process.kill()
        await process.wait()
        await until(lambda: not any(Path(f"/proc/{part['pid']}").exists() for part in reply["parts"]))
    async with supervisor.up():
        pass


@pytest.mark.parametrize("variable", ["WASMFORGE_HTTP", "WASMFORGE_NATS"])
async def test_a_taken_port_is_one_sentence(supervisor: Supervisor, nats_url: str, variable: str) -> None:
    taken = nats_url.removeprefix("nats://")
    code, text = await supervisor.run("up", **{variable: taken})
    port = taken.partition(":")[2]
    assert code == 1
    assert text == (
        "Starting WasmForge\n"
        f"port {port} on 127.0.0.1 is taken by another program; stop it, or choose another port with {variable}\n"
    )


async def test_an_engine_that_is_not_compiled_is_one_sentence(supervisor: Supervisor) -> None:
    code, text = await supervisor.run("up", WASMFORGE_ENGINES=str(supervisor.folder / "none"))
    assert (code, text) == (1, "the sandbox engine is not compiled yet; run `make setup`\n")


async def test_with_the_quick_engine_the_thorough_one_is_made_meanwhile_and_a_stop_breaks_that_off(
    supervisor: Supervisor,
) -> None:
    engines = supervisor.folder / "engines"
    engines.mkdir()
    (quick,) = Settings.read(os.environ).places.engines.glob("*-O0.so")
    (engines / quick.name).symlink_to(quick)
    supervisor.environment["WASMFORGE_ENGINES"] = str(engines)
    async with supervisor.up() as process:
        await until(lambda: bool(list(engines.glob(".compile-*/python.wasm"))))
        assert (await supervisor.run("down"))[0] == 0
        assert await asyncio.wait_for(process.wait(), 10) == 0
    assert [path.name for path in engines.iterdir() if not path.name.endswith(".lock")] == [quick.name]


async def test_an_executor_of_another_machine_joins_and_leaves(supervisor: Supervisor, stack: Platform) -> None:
    process = await supervisor.start("executor", "--nats", stack.nats_url)
    try:
        await stack.wait_ready(executors=3)
        process.terminate()
        output, _ = await asyncio.wait_for(process.communicate(), 30)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0
    assert output.decode().endswith("Stopped\n")


async def test_a_running_ollama_is_used_and_no_name_is_mapped(short_folder: Path, stack: Platform) -> None:
    # The session's model server speaks Ollama's API: to a second platform it is an Ollama.
    async with platform(short_folder, executors=0, environment={"OLLAMA_URL": stack.modelserver_url}) as second:
        assert "modelserver" not in second.names()
        async with httpx.AsyncClient(base_url=second.http_url, timeout=10) as http:
            health = (await http.get("/health/ollama")).json()
            assert (health["status"], health["url"]) == ("connected", stack.modelserver_url)
            models = {model["name"]: model["available"] for model in (await http.get("/api/models/list")).json()}
        assert not any(models.values())


async def test_only_this_user_reaches_state_and_sockets(stack: Platform) -> None:
    for folder in (stack.state, control.socket_path(stack.state).parent):
        assert folder.stat().st_mode & 0o777 == 0o700
        assert folder.stat().st_uid == os.geteuid()
