"""A full platform says so at once; a full executor lets others take the work."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.plugins import SLEEP, assert_problem, call, deploy, http_client
from tests.support.platform import Platform, platform

SLOTS, QUEUE = 2, 1


@pytest.fixture
async def small(short_folder: Path) -> AsyncIterator[Platform]:
    """Two executors with room for two calls each, and one that waits."""
    room = {"WASMFORGE_SLOTS": str(SLOTS), "WASMFORGE_QUEUE": str(QUEUE)}
    async with platform(short_folder, executors=2, environment=room) as running:
        yield running


async def test_busy_at_once_and_free_again(small: Platform) -> None:
    async with http_client(small.http_url) as http:
        await deploy(http, "full-sleep", SLEEP)
        # Often, because NATS deals calls out at random.
        for _ in range(5):
            await _fills_every_slot_before_it_waits(http)
        await _is_busy_when_all_is_full(http)
        await _is_free_again(http)


async def _fills_every_slot_before_it_waits(http: httpx.AsyncClient) -> None:
    replies = await asyncio.gather(*(call(http, "full-sleep", "0.5") for _ in range(2 * SLOTS)))
    assert [reply.status_code for reply in replies] == [200] * (2 * SLOTS)
    ran = [reply.headers["wasmforge-executor"] for reply in replies]
    # Who is full passes calls on.
    assert {ran.count(executor) for executor in set(ran)} == {SLOTS}
    for reply in replies:
        phases = dict(part.split(";dur=") for part in reply.headers["server-timing"].split(", "))
        assert float(phases["queue"]) < 400, "a call waited although a slot was free elsewhere"


async def _is_busy_when_all_is_full(http: httpx.AsyncClient) -> None:
    async def timed() -> tuple[float, httpx.Response]:
        started = time.monotonic()
        reply = await call(http, "full-sleep", "1.5")
        return time.monotonic() - started, reply

    # Three more than there is room for, so that each executor's queue overflows wherever calls happen to land.
    timings = await asyncio.gather(*(timed() for _ in range(2 * (SLOTS + QUEUE) + 6)))
    refused = [(took, reply) for took, reply in timings if reply.status_code != 200]
    assert len(refused) == 6
    for took, reply in refused:
        problem = assert_problem(reply, 503, "busy", "busy")
        assert int(reply.headers["retry-after"]) >= 1
        assert problem["retry_after_seconds"] >= 1
        assert took < 1.4, "busy is said at once, not after waiting for a slot"


async def _is_free_again(http: httpx.AsyncClient) -> None:
    replies = await asyncio.gather(*(call(http, "full-sleep", "0") for _ in range(2 * SLOTS)))
    assert [reply.status_code for reply in replies] == [200] * (2 * SLOTS)
