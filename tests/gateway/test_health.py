"""``/health``, ``/health/ollama`` and ``/api/models/list``, with parts of the platform there and away."""

import asyncio
from collections.abc import AsyncIterator

import nats
import pytest

from gateway.settings import Settings
from schemas import __version__, subjects
from schemas.ai import ModelInfo, ModelsReply
from tests.gateway.conftest import NO_DATABASE, NOWHERE, Running, running_gateway
from tests.gateway.scripted import scripted_broker, scripted_executor
from tests.sdk.command import wasmforge
from tests.support.servers import RestartableNats

MODELS = ModelsReply(
    models=[
        ModelInfo("mistral:latest", "text", "code", True, "smollm2:135m"),
        ModelInfo("gemma2:2b", "text", "light", False),
    ],
    url="http://127.0.0.1:11434",
    connected=True,
    server_models=["smollm2:135m"],
)


@pytest.fixture
async def fresh(own_nats: RestartableNats, database_dsn: str) -> AsyncIterator[Running]:
    async with running_gateway(Settings(nats=own_nats.server.url, database=database_dsn)) as running:
        yield running


async def test_all_there(fresh: Running) -> None:
    url = fresh.settings.nats
    async with scripted_executor(url), scripted_executor(url), scripted_broker(url, MODELS):
        reply = await fresh.http.get("/health")
        assert reply.status_code == 200, reply.text
        health = reply.json()
        sandboxes = health.pop("sandboxes")
        assert len({sandbox["executor"] for sandbox in sandboxes}) == 2
        assert sandboxes[0]["layers"] == ["seccomp", "empty_root"]
        assert sandboxes[0]["missing"] == {"user_namespace": "not here"}
        assert (sandboxes[0]["engine"], sandboxes[0]["confinement"]) == ("a-O2.so", "best-effort")
        assert health == {
            "status": "ok",
            "wasmedge": True,
            "nats": True,
            "database": True,
            "models": True,
            "executors": 2,
            "problems": [],
            "version": __version__,
            "warnings": [],
        }
        reply = await fresh.http.get("/health/ollama")
        assert reply.json() == {"status": "connected", "url": "http://127.0.0.1:11434", "models": ["smollm2:135m"]}
        reply = await fresh.http.get("/api/models/list")
        assert reply.json() == [
            {
                "name": "mistral:latest",
                "type": "text",
                "description": "code",
                "available": True,
                "answered_by": "smollm2:135m",
            },
            {"name": "gemma2:2b", "type": "text", "description": "light", "available": False, "answered_by": None},
        ]


async def test_executors_without_a_sandbox_are_told_of(fresh: Running) -> None:
    url = fresh.settings.nats
    async with scripted_executor(url, sandbox="insecure-subprocess"), scripted_broker(url, MODELS):
        health = (await fresh.http.get("/health")).json()
        assert (health["wasmedge"], health["executors"]) == (False, 1)
        assert health["sandboxes"][0]["sandbox"] == "insecure-subprocess"
        assert "WITHOUT A SANDBOX" in health["warnings"][0]
        doctor = await wasmforge(str(fresh.http.base_url), "doctor")
        assert doctor.code == 3
        assert b"any (insecure-subprocess)" in doctor.out
        assert "WITHOUT A SANDBOX" in doctor.err
        status = await wasmforge(str(fresh.http.base_url), "status")
        assert b"WITHOUT A SANDBOX" in status.out


async def test_nobody_there_but_nats_and_the_database(fresh: Running) -> None:
    async with asyncio.timeout(1.5):
        health = (await fresh.http.get("/health")).json()
    assert health["status"] == "degraded"
    assert (health["wasmedge"], health["executors"], health["models"]) == (False, 0, False)
    assert (health["nats"], health["database"]) == (True, True)
    assert len(health["problems"]) == 2
    assert any("executor" in problem for problem in health["problems"])
    assert any("broker" in problem for problem in health["problems"])
    reply = await fresh.http.get("/api/models/list")
    assert reply.status_code == 503
    assert "no broker is running" in reply.json()["detail"]
    reply = await fresh.http.get("/health/ollama")
    assert reply.status_code == 200, reply.text
    assert reply.json()["status"] == "disconnected"
    assert "no broker is running" in reply.json()["error"]


async def test_nothing_there_at_all() -> None:
    settings = Settings(nats=NOWHERE, database=NO_DATABASE)
    async with running_gateway(settings, wait=False) as running:
        async with asyncio.timeout(1.5):
            reply = await running.http.get("/health")
        assert reply.status_code == 200, reply.text
        health = reply.json()
        assert health["status"] == "degraded"
        assert not any((health["nats"], health["database"], health["models"], health["wasmedge"]))
        assert any("NATS" in problem for problem in health["problems"])
        assert any("PostgreSQL" in problem for problem in health["problems"])
        for path in ("/api/plugins/list", "/api/plugins/x/code", "/api/models/list"):
            async with asyncio.timeout(1):
                reply = await running.http.get(path)
            assert reply.status_code == 503
            assert list(reply.json()) == ["detail"]
            assert reply.headers["retry-after"]


async def test_the_model_server_is_away(fresh: Running) -> None:
    away = ModelsReply(MODELS.models, MODELS.url, False, [], "connection refused")
    async with scripted_broker(fresh.settings.nats, away):
        reply = await fresh.http.get("/health/ollama")
        assert reply.json() == {
            "status": "disconnected",
            "url": "http://127.0.0.1:11434",
            "error": "connection refused",
        }
        health = (await fresh.http.get("/health")).json()
        assert health["models"] is False
        assert "models can't be used: connection refused" in health["problems"]
        # The list still says which models there could be.
        assert (await fresh.http.get("/api/models/list")).status_code == 200


async def test_a_broker_that_makes_no_sense(fresh: Running) -> None:
    async with scripted_broker(fresh.settings.nats, b"{broken"):
        reply = await fresh.http.get("/api/models/list")
        assert reply.status_code == 503
        assert "makes no sense" in reply.json()["detail"]
        assert (await fresh.http.get("/health")).json()["models"] is False


async def test_a_broker_that_does_not_answer(fresh: Running) -> None:
    client = await nats.connect(fresh.settings.nats)
    await client.subscribe(subjects.AI_MODELS)  # takes requests and says nothing
    await client.flush()
    async with asyncio.timeout(1.5):
        health = (await fresh.http.get("/health")).json()
    assert health["models"] is False
    assert any("no answer" in problem for problem in health["problems"])
    await client.close()


async def test_the_broker_is_asked_once_however_many_ask(fresh: Running) -> None:
    async with scripted_broker(fresh.settings.nats, MODELS) as asked:
        replies = await asyncio.gather(*(fresh.http.get("/api/models/list") for _ in range(20)))
        assert {reply.status_code for reply in replies} == {200}
        assert len(asked) == 1


async def test_health_sees_what_comes_and_goes(fresh: Running, own_nats: RestartableNats) -> None:
    url = fresh.settings.nats

    async def until_health(key: str, value: object) -> None:
        async with asyncio.timeout(15):
            while (await fresh.http.get("/health")).json()[key] != value:  # noqa: ASYNC110
                await asyncio.sleep(0.05)

    async with scripted_executor(url):
        await until_health("executors", 1)
        await own_nats.kill()
        await until_health("nats", False)
        await own_nats.start()
        await until_health("executors", 1)
    await until_health("wasmedge", False)
