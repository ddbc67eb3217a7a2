"""NATS, PostgreSQL, the model server, the broker or every executor away: said at once, and all well again by itself."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import httpx
import pytest

from tests.e2e.plugins import ASK, SLEEP, UPPER, assert_problem, call, deploy, http_client
from tests.e2e.waiting import until, until_health
from tests.support.platform import Platform

AT_ONCE_SECONDS = 3.0


@pytest.fixture
async def http(breakable: Platform) -> AsyncIterator[httpx.AsyncClient]:
    async with http_client(breakable.http_url) as client:
        await deploy(client, "out-upper", UPPER)
        await deploy(client, "out-ask", ASK)
        assert (await call(client, "out-upper", "before")).text == "BEFORE"
        yield client
        # Whatever was away: everything works again, without anybody's help.
        await until_health(client, status="ok", executors=2)
        # Health is remembered for a second, so it may say so from before.
        await until(lambda: answers(client), "calls work")
        await until(lambda: models_answer(client), "models answer")
        assert (await deploy(client, "out-again", UPPER))["status"] == "uploaded"


async def answers(http: httpx.AsyncClient) -> bool:
    """Whether a call works; if not, it is said at once why."""
    with at_once():
        reply = await call(http, "out-upper", "after")
    assert reply.status_code in (200, 503), reply.text
    return reply.text == "AFTER"


async def models_answer(http: httpx.AsyncClient) -> bool:
    """Health remembers for two seconds what it knew of models, so it may say so a little too early."""
    reply = await call(http, "out-ask", "Say hello.")
    assert reply.status_code in (200, 502), reply.text
    return reply.status_code == 200


@contextlib.asynccontextmanager
async def away(stack: Platform, *names: str) -> AsyncIterator[None]:
    """Those parts are killed, and come back at the end of the block."""
    for name in names:
        await stack.take_down(name)
    try:
        yield
    finally:
        for name in names:
            await stack.bring_up(name)


class at_once:
    """The block must not take long."""

    def __enter__(self) -> None:
        self.started = time.monotonic()

    def __exit__(self, *_: object) -> None:
        assert time.monotonic() - self.started < AT_ONCE_SECONDS


async def until_no_models(http: httpx.AsyncClient) -> None:
    """What was known of models is remembered for two seconds; then they are said to be away."""

    async def away() -> bool:
        with at_once():
            reply = await http.get("/api/models/list")
        assert reply.status_code in (200, 503)
        return reply.status_code == 503

    await until(away, "the list of models is away")


async def test_nats_away(breakable: Platform, http: httpx.AsyncClient) -> None:
    async with away(breakable, "nats"):
        health = await until_health(http, nats=False, status="degraded", wasmedge=False, executors=0)
        assert any("NATS" in problem for problem in health["problems"])  # type: ignore[attr-defined]
        assert health["database"] is True
        with at_once():
            problem = assert_problem(await call(http, "out-upper", "x"), 503, "unavailable", "NATS")
            assert problem["retry_after_seconds"] >= 1
        with at_once():
            form = await http.post("/api/plugins/run", data={"plugin_name": "out-upper", "input_data": "x"})
            assert form.status_code == 503
            assert "NATS" in form.json()["detail"]
        with at_once():
            upload = await http.post("/api/plugins/upload", files={"file": ("out-new.py", UPPER.encode())})
            assert (upload.status_code, set(upload.json())) == (503, {"detail"})
            assert (await http.delete("/api/plugins/out-upper")).status_code == 503
        await until_no_models(http)
        # What needs no NATS goes on.
        assert "out-upper" in [plugin["name"] for plugin in (await http.get("/api/plugins/list")).json()]


async def test_nats_goes_away_during_a_call(breakable: Platform, http: httpx.AsyncClient) -> None:
    await deploy(http, "out-sleep", SLEEP)
    running = asyncio.create_task(call(http, "out-sleep", "30"))
    # A second call comes back while the first one runs, so the first one is there by now.
    assert (await call(http, "out-sleep", "0.2")).text == "slept"
    async with away(breakable, "nats"):
        with at_once():
            assert_problem(await running, 503, "unavailable", "NATS")


async def test_postgresql_away(breakable: Platform, http: httpx.AsyncClient) -> None:
    async with away(breakable, "postgres"):
        health = await until_health(http, database=False, status="degraded")
        assert any("PostgreSQL" in problem for problem in health["problems"])  # type: ignore[attr-defined]
        assert (health["nats"], health["executors"]) == (True, 2)
        with at_once():
            listed = await http.get("/api/plugins/list")
            assert listed.status_code == 503
            assert "PostgreSQL" in listed.json()["detail"]
        with at_once():
            upload = await http.post("/api/plugins/upload", files={"file": ("out-new.py", UPPER.encode())})
            assert upload.status_code == 503
            assert "PostgreSQL" in upload.json()["detail"]
        with at_once():
            assert_problem(await call(http, "out-never-asked-for", "x"), 503, "unavailable", "PostgreSQL")
        with at_once():
            assert (await http.get("/api/plugins/out-upper/code")).status_code == 503
            assert (await http.delete("/api/plugins/out-upper")).status_code == 503


async def test_the_model_server_away(breakable: Platform, http: httpx.AsyncClient) -> None:
    async with away(breakable, "modelserver"):
        health = await until_health(http, models=False, status="degraded")
        assert any("model" in problem for problem in health["problems"])  # type: ignore[attr-defined]
        assert (health["nats"], health["database"], health["executors"]) == (True, True, 2)
        with at_once():
            problem = assert_problem(await call(http, "out-ask", "x"), 502, "ai_error")
            assert problem["code"] == "unavailable"
        shape = (await http.get("/health/ollama")).json()
        assert shape["status"] == "disconnected"
        assert shape["error"]
        listed = await http.get("/api/models/list")
        assert listed.status_code == 200
        assert {model["available"] for model in listed.json()} == {False}
        # What calls no model goes on.
        assert (await call(http, "out-upper", "x")).text == "X"


async def test_the_broker_away(breakable: Platform, http: httpx.AsyncClient) -> None:
    async with away(breakable, "broker"):
        await until_health(http, models=False, status="degraded")
        with at_once():
            problem = assert_problem(await call(http, "out-ask", "x"), 502, "ai_error", "no AI broker is running")
            assert problem["code"] == "unavailable"
        await until_no_models(http)
        assert (await call(http, "out-upper", "x")).text == "X"


async def test_every_executor_away(breakable: Platform, http: httpx.AsyncClient) -> None:
    async with away(breakable, "executor-1", "executor-2"):
        health = await until_health(http, wasmedge=False, executors=0, status="degraded")
        assert any("executor" in problem for problem in health["problems"])  # type: ignore[attr-defined]
        with at_once():
            assert_problem(await call(http, "out-upper", "x"), 503, "unavailable", "no executor is running")
            upload = await http.post("/api/plugins/upload", files={"file": ("out-new.py", UPPER.encode())})
            assert upload.status_code == 503
            assert "executor" in upload.json()["detail"]


async def test_everything_below_away_at_once(breakable: Platform, http: httpx.AsyncClient) -> None:
    async with away(breakable, "nats", "postgres", "modelserver"):
        health = await until_health(http, nats=False, database=False, models=False)
        assert len(health["problems"]) >= 2  # type: ignore[arg-type]
        with at_once():
            assert_problem(await call(http, "out-upper", "x"), 503, "unavailable")
