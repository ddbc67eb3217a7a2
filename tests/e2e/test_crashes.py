"""kill -9 of each service: calls fail fast or not at all, and once it is back the first input works."""

import time

import httpx
import pytest

from tests.e2e.plugins import ASK, UPPER, call, deploy, http_client
from tests.e2e.waiting import until
from tests.support.platform import Platform

NEVER_NOTICED = ("executor-1", "postgres", "broker", "modelserver")
"""Services whose crash a call that needs no model and is known to the executors does not notice."""


@pytest.mark.parametrize("part", ["gateway", "broker", "executor-1", "modelserver", "nats", "postgres"])
async def test_the_first_input_after_a_crash(breakable: Platform, part: str) -> None:
    async with http_client(breakable.http_url) as http:
        await deploy(http, "crash-upper", UPPER)
        await deploy(http, "crash-ask", ASK)
        # Both executors shall know it, or PostgreSQL would be needed.
        for number in range(20):
            assert (await call(http, "crash-upper", f"{number}")).text == f"{number}"

        before = breakable.pid(part)
        breakable.kill(part)
        if part in NEVER_NOTICED:
            replies = [await call(http, "crash-upper", f"{number}") for number in range(20)]
            lost = [reply for number, reply in enumerate(replies) if reply.text != f"{number}"]
            # One may have been handed to the executor in the very moment of its death.
            assert len(lost) <= (part == "executor-1")
            assert all("gone" in reply.text for reply in lost)
        await until(lambda: _answers_or_fails_fast(breakable.http_url), f"calls work after a crash of {part}")

        async def new_process() -> bool:
            return breakable.runs(part) and breakable.pid(part) != before

        await until(new_process, f"{part} was started again")
        await breakable.wait_ready(executors=2)

    # New connections, as a caller who comes now has them.
    async with http_client(breakable.http_url) as http:
        if part == "postgres":
            await until(lambda: _deploys(http), "uploads work again")
        assert (await call(http, "crash-upper", "first")).text == "FIRST"
        if part in ("broker", "modelserver"):
            await until(lambda: _asks(http), "models answer again")
        reply = await call(http, "crash-ask", "Say hello.")
        assert reply.status_code == 200, reply.text
        await deploy(http, "crash-upper", UPPER + f"# {part}\n")
        for number in range(10):
            assert (await call(http, "crash-upper", f"a{number}")).text == f"A{number}"


async def _answers_or_fails_fast(url: str) -> bool:
    started = time.monotonic()
    try:
        async with http_client(url) as http:
            reply = await call(http, "crash-upper", "x")
    except httpx.TransportError:
        return False  # the gateway itself is away
    finally:
        assert time.monotonic() - started < 7
    if reply.status_code == 200:
        return reply.text == "X"
    assert (reply.status_code, reply.json()["error_type"]) in {(503, "unavailable"), (500, "runtime_error")}, reply.text
    return False


async def _deploys(http: httpx.AsyncClient) -> bool:
    reply = await http.post("/api/plugins/upload", files={"file": ("crash-new.py", UPPER.encode())})
    assert reply.status_code in (200, 503), reply.text
    return reply.status_code == 200


async def _asks(http: httpx.AsyncClient) -> bool:
    reply = await call(http, "crash-ask", "Say hello.")
    assert reply.status_code in (200, 502), reply.text
    return reply.status_code == 200
