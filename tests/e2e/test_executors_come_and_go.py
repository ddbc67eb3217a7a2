"""Three executors under load while one is added, one is stopped and one is killed with -9."""

import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import nats
import pytest
from nats.aio.msg import Msg

from schemas.messages import ExecutionFinished
from tests.e2e.plugins import deploy, http_client
from tests.e2e.waiting import WORK, steady_load, until
from tests.support.platform import Platform, platform

CALLERS = 12
STEP = 100
"""Answers between one change and the next."""


@pytest.fixture
async def three(short_folder: Path) -> AsyncIterator[Platform]:
    async with platform(short_folder, executors=3) as running:
        yield running


async def test_only_what_the_killed_one_ran_fails(three: Platform) -> None:
    ran: Counter[str] = Counter()
    by_executor: Counter[str] = Counter()

    async def finished(msg: Msg) -> None:
        event = msgspec.json.decode(msg.data, type=ExecutionFinished)
        ran[event.execution_id] += 1
        by_executor[event.executor] += 1

    nc = await nats.connect(three.nats_url)
    await nc.subscribe("wasmforge.events.execution.*", cb=finished)
    await nc.flush()
    async with http_client(three.http_url) as http:
        await deploy(http, "roll-work", WORK)
    async with steady_load(three.http_url, "roll-work", CALLERS, (0.005, 0.05)) as load:
        await load.more(STEP)
        await three.add_executor()
        await load.more(STEP)
        await three.remove_executor("executor-2")
        await load.more(STEP)
        # Between two answers something runs everywhere.
        killed_at = time.monotonic()
        three.kill("executor-1")
        await load.more(STEP)

    failed = [answer for answer in load.answers if not answer.good]
    for answer in failed:
        assert answer.reply.status_code == 500, answer.reply.text
        problem = answer.reply.json()
        assert problem["error_type"] == "runtime_error"
        assert "gone" in problem["error"]
        # It was on its way when the executor died, and nobody waited for the plugin's whole time.
        assert answer.began < killed_at + 0.2
        assert killed_at < answer.ended < killed_at + 8
    assert 1 <= len(failed) < CALLERS

    good = {answer.execution_id for answer in load.answers if answer.good}
    assert len(good) == len(load.answers) - len(failed)

    async def all_told() -> bool:
        return good <= set(ran)

    await until(all_told, "an event for every call that was answered")
    assert set(ran.values()) == {1}
    # Three from the start, one added, one started again after the kill.
    assert 4 <= len(by_executor) <= 5
    await nc.close()
