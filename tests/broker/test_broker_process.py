"""The broker as a process: settings, signals, and services that go away and come back."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from nats.aio.client import Client

from broker.settings import Settings
from deploy.local.process import Child, Command, spawn, tail
from schemas import bus
from schemas.errors import AIErrorCode, InvalidInput
from tests.broker.asking import ALIASES, Caller
from tests.broker.dialects import Ollama
from tests.broker.misbehaving import Misbehaving, repeats
from tests.broker.test_load import Gate
from tests.modelserver.running import ModelServer
from tests.support.servers import RestartableNats


async def logged(child: Child, log: Path, words: str) -> None:
    """Wait until the process has said so."""
    async with asyncio.timeout(30):
        while True:
            if words in tail(log):
                return
            assert child.returncode is None, tail(log)
            await asyncio.sleep(0.01)


@asynccontextmanager
async def broker_process(folder: Path, nats_url: str, ollama_url: str, **more: str) -> AsyncIterator[Child]:
    """``python -m broker``, ready for calls."""
    log = folder / "broker.log"
    environment = os.environ | {
        "WASMFORGE_NATS": nats_url,
        "OLLAMA_URL": ollama_url,
        "WASMFORGE_MODEL_ALIASES": ALIASES,
    }
    child = await spawn(Command([sys.executable, "-m", "broker"], environment | more, log))
    try:
        await logged(child, log, "ready")
        yield child
    finally:
        await child.kill()


async def test_sigterm_finishes_what_runs_and_takes_nothing_new(
    nats_url: str, nc: Client, caller: Caller, server: Misbehaving, short_folder: Path
) -> None:
    gate = Gate(server)
    async with broker_process(short_folder, nats_url, server.url) as child:
        running = asyncio.create_task(caller.generate())
        await gate.holds(1)
        stopping = asyncio.create_task(child.stop(20))
        await logged(child, short_folder / "broker.log", "stopping")
        assert not running.done()
        gate.open.set()
        assert (await running).response == "fine"
        assert await stopping == 0
    assert tail(short_folder / "broker.log").splitlines()[-1] == "INFO broker: stopped"


async def test_sigterm_ends_what_runs_too_long_with_a_word(
    nats_url: str, caller: Caller, server: Misbehaving, short_folder: Path
) -> None:
    dialect = Ollama()
    server.generate = repeats(dialect.head, dialect.piece("on and on "), 0.01)
    async with broker_process(short_folder, nats_url, server.url, WASMFORGE_STOP_SECONDS="0.1") as child:
        async with caller.stream() as stream:
            await stream.piece()
            gate = Gate(server)
            plain = asyncio.create_task(caller.failure())
            await gate.holds(1)
            stopping = asyncio.create_task(child.stop(20))
            for error in (await stream.failure(), await plain):
                assert (error.code, error.message) == (AIErrorCode.UNAVAILABLE, "the broker stops, try again")
        assert await stopping == 0


async def test_sigterm_while_nats_is_away(short_folder: Path) -> None:
    log = short_folder / "broker.log"
    environment = os.environ | {"WASMFORGE_NATS": "nats://127.0.0.1:1"}
    child = await spawn(Command([sys.executable, "-m", "broker"], environment, log))
    try:
        await logged(child, log, "NATS")
        assert await child.stop(5) == 0
    finally:
        await child.kill()


async def test_nats_goes_and_comes_back(own_nats: RestartableNats, server: Misbehaving, short_folder: Path) -> None:
    url = own_nats.server.url
    async with broker_process(short_folder, url, server.url):
        await own_nats.restart()
        nc = await bus.connect(url, "test")
        caller = Caller(nc)
        try:
            async with asyncio.timeout(10):
                while True:
                    try:
                        reply = await caller.generate()
                        break
                    except Exception:
                        await asyncio.sleep(0.02)
            assert reply.response == "fine"
        finally:
            await nc.close()


async def test_the_model_server_is_killed_in_a_call_and_started_again(
    nats_url: str, caller: Caller, short_folder: Path
) -> None:
    server = ModelServer(short_folder)
    server.run_instead(
        [sys.executable, "-m", "bench.stub_modelserver", "--port", str(server.port), "--latency-ms", "20000"]
    )
    try:
        await server.start()
        async with broker_process(short_folder, nats_url, server.url, WASMFORGE_MODEL_ALIASES=""):
            running = asyncio.create_task(caller.failure())
            while not (await caller.models()).connected:
                pass
            await server.kill()
            error = await running
            assert error.code is AIErrorCode.UNAVAILABLE
            await caller.fails_at_once(AIErrorCode.UNAVAILABLE)

            server.run_instead([sys.executable, "-m", "bench.stub_modelserver", "--port", str(server.port)])
            await server.start()
            assert (await caller.generate()).response == "echo: Hi"
            await server.kill()
            await server.start()
            assert (await caller.generate()).response == "echo: Hi"
    finally:
        await server.stop()


async def test_a_bad_setting_is_said() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "broker",
        env=os.environ | {"WASMFORGE_MODEL_ALIASES": "mistral"},
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await process.communicate()
    assert process.returncode == 2
    assert errors.decode() == (
        "ERROR broker: WASMFORGE_MODEL_ALIASES has 'mistral': give name=model, such as mistral:latest=smollm2:135m\n"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OLLAMA_URL", "ftp://x"),
        ("OLLAMA_URL", "http://"),
        ("OLLAMA_URL", "http://x:99999999"),
        ("OLLAMA_URLS", "http://a,http://:80"),
        ("WASMFORGE_OPENAI_URLS", "http://a?key=5"),
        ("WASMFORGE_OPENAI_KEY", "a\nb"),
        ("WASMFORGE_MODEL_ALIASES", "a=b=c"),
        ("WASMFORGE_MODEL_ALIASES", "a=b||c"),
        ("WASMFORGE_MODEL_ALIASES", "=b"),
        ("WASMFORGE_MODELS", "mistral"),
        ("WASMFORGE_MODELS", "[]"),
        ("WASMFORGE_MODELS", '[{"type": "text"}]'),
        ("WASMFORGE_MODELS", '[{"name": " "}]'),
        ("WASMFORGE_AI_PARALLEL", "0"),
        ("WASMFORGE_AI_PARALLEL", "nan"),
        ("WASMFORGE_AI_QUEUE", "-1"),
        ("WASMFORGE_LOG", "LOUD"),
    ],
)
def test_settings_that_cannot_be_used(name: str, value: str) -> None:
    with pytest.raises(InvalidInput, match=name):
        Settings.read({name: value})


def test_settings_that_can() -> None:
    assert Settings.read({}).catalog.names == ["mistral:latest", "qwen2.5:1.5b", "gemma2:2b", "llama3.2:latest"]
    assert Settings.read({"OLLAMA_URL": "https://models.example/ollama/"}).ollama == ("https://models.example/ollama",)
    urls = "10.0.0.5:11434, http://b, http://b/"
    assert Settings.read({"OLLAMA_URL": "http://a", "OLLAMA_URLS": urls}).ollama == ("10.0.0.5:11434", "http://b")
    only_openai = Settings.read({"WASMFORGE_OPENAI_URLS": "http://x/v1", "WASMFORGE_OPENAI_KEY": "secret"})
    assert (only_openai.openai, only_openai.ollama) == (("http://x/v1",), ())
    assert "secret" not in repr(only_openai)
    catalog = Settings.read({"WASMFORGE_MODEL_ALIASES": " mistral = tiny , gemma2:2b=tiny,tiny=tiny,"}).catalog
    assert catalog.resolve("mistral:latest") == catalog.resolve("gemma2:2b") == ("tiny:latest",)
    assert catalog.names[-1] == "tiny:latest"
    assert catalog.describe(lambda _: False)[-1].description == "answers for mistral:latest, gemma2:2b"
    catalog = Settings.read({"WASMFORGE_MODEL_ALIASES": "mistral=mistral:7b | tiny"}).catalog
    assert catalog.resolve("mistral") == ("mistral:7b", "tiny:latest")
    models = '[{"name": "a:1b"}, {"name": "b"}]'
    assert Settings.read({"WASMFORGE_MODELS": models}).catalog.names == ["a:1b", "b:latest"]


async def test_an_address_with_a_path(nats_url: str, caller: Caller, server: Misbehaving, short_folder: Path) -> None:
    async with broker_process(short_folder, nats_url, f"{server.url}/ollama/"):
        assert (await caller.generate()).response == "fine"
        assert server.asked[-1].path == "/ollama/api/generate"


async def test_nats_tools_see_the_service(nc: Client, nats_url: str, server: Misbehaving, short_folder: Path) -> None:
    async with broker_process(short_folder, nats_url, server.url):
        reply = await nc.request("$SRV.INFO.wasmforge-broker", b"", timeout=5)
        for subject in (b'"wasmforge.ai.generate"', b'"wasmforge.ai.models"'):
            assert subject in reply.data
