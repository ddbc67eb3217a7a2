"""Three executors under load while one is added, one is stopped and one is killed with -9."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
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

LONG_CALLS = 24
"""Beside the load, so many that one runs on every executor (that one of three gets none: 1 in 17,000)."""
LONG = """import time
from platform_sdk import send_output
send_output("begun")
time.sleep(3)
send_output("ended")
"""


class LongCall:
    """A call that says when it runs, so that it can be known to run while an executor is killed."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.output = ""
        self.done: dict[str, Any] = {}

    async def run(self, http: httpx.AsyncClient) -> None:
        async with http.stream("POST", "/fn/roll-long", headers={"Accept": "text/event-stream"}) as reply:
            event = ""
            async for line in reply.aiter_lines():
                if line.startswith("event: "):
                    event = line[7:]
                elif line.startswith("data: ") and event == "output":
                    self.output += json.loads(line[6:])
                    self.begun.set()
                elif line.startswith("data: ") and event == "done":
                    self.done = json.loads(line[6:])


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
    async with http_client(three.http_url) as http, asyncio.TaskGroup() as group:
        await deploy(http, "roll-work", WORK)
        await deploy(http, "roll-long", LONG)
        async with steady_load(three.http_url, "roll-work", CALLERS, (0.005, 0.05)) as load:
            await load.more(STEP)
            await three.add_executor()
            await load.more(STEP)
            await three.remove_executor("executor-2")
            await load.more(STEP)
            long_calls = [LongCall() for _ in range(LONG_CALLS)]
            for long_call in long_calls:
                group.create_task(long_call.run(http))
            await asyncio.gather(*(long_call.begun.wait() for long_call in long_calls))
            killed_at = time.monotonic()
            three.kill("executor-1")
            await load.more(STEP)
    ended_at = time.monotonic()

    # What the killed one ran fails, and nobody waited for a plugin's whole time.
    assert ended_at < killed_at + 20
    for answer in load.answers:
        if not answer.good:
            assert answer.reply.status_code == 500, answer.reply.text
            problem = answer.reply.json()
            assert (problem["error_type"], "gone" in problem["error"]) == ("runtime_error", True)
            # It was on its way when the executor died.
            assert answer.began < killed_at + 0.2
            assert killed_at < answer.ended < killed_at + 8
    for long_call in long_calls:
        if not long_call.done["success"]:
            assert long_call.done["error_type"] == "runtime_error"
            assert "gone" in long_call.done["error"]
    good = {answer.execution_id for answer in load.answers if answer.good}
    assert len(good) > len(load.answers) - CALLERS
    good_long = {long_call.done["execution_id"] for long_call in long_calls if long_call.output == "begun\nended"}
    assert good_long == {long_call.done["execution_id"] for long_call in long_calls if long_call.done["success"]}
    assert 1 <= len(good_long) < LONG_CALLS
    good |= good_long

    async def all_told() -> bool:
        return good <= set(ran)

    # Each ran exactly once, and none of those that failed is told of as finished.
    await until(all_told, "an event for every call that was answered")
    assert set(ran.values()) == {1}
    assert set(ran) == good
    # Three from the start, one added, and perhaps the killed one again.
    assert 4 <= len(by_executor) <= 5
    await nc.close()
