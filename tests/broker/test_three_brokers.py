"""Three broker processes that share NATS: what they promise together."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
import pytest
from nats.aio.client import Client

from deploy.local.process import Child
from schemas import bus, headers, subjects
from schemas.ai import UsageReply
from tests.broker.misbehaving import Misbehaving
from tests.broker.test_broker_process import broker_process
from tests.support.servers import RestartableNats

LIMIT = 60
BUDGETS = msgspec.json.encode({"plugin": {"spender": {"calls": {"day": LIMIT}}}}).decode()


@pytest.fixture
async def own(own_nats: RestartableNats) -> AsyncIterator[Client]:
    """A connection to a NATS of the test's own."""
    nc = await bus.connect(own_nats.server.url, "test")
    yield nc
    await nc.close()


async def three(stack: AsyncExitStack, folder: Path, nats_url: str, server: Misbehaving) -> list[Child]:
    """Three brokers before one model server, ready."""

    async def one(number: int) -> Child:
        own_folder = folder / f"{folder.name}-{number}"
        own_folder.mkdir()
        return await stack.enter_async_context(
            broker_process(own_folder, nats_url, server.url, WASMFORGE_BUDGETS=BUDGETS)
        )

    return [await one(number) for number in range(3)]


async def ask(nc: Client, plugin: str = "spender") -> str:
    """One request; ``answered``, or why it was refused."""
    body = msgspec.json.encode({"model": "mistral:latest", "prompt": "Hi"})
    given = {headers.PLUGIN: plugin, headers.CALLER: "somebody"}
    reply = await bus.ask(nc, subjects.AI_GENERATE, body, timeout_seconds=60, headers=given)
    if headers.get_error(reply.headers, reply.data) is None:
        return "answered"
    return (reply.headers or {})[headers.ERROR_CODE]


async def usage(nc: Client, brokers: int) -> list[UsageReply]:
    """What each broker counted."""
    inbox = nc.new_inbox()
    subscription = await nc.subscribe(inbox)
    await nc.publish(subjects.AI_USAGE, b"", inbox)
    replies = [await subscription.next_msg(timeout=10) for _ in range(brokers)]
    await subscription.unsubscribe()
    return [msgspec.json.decode(reply.data, type=UsageReply) for reply in replies]


async def test_a_budget_is_exact_across_brokers_and_outlives_them(
    own_nats: RestartableNats, own: Client, server: Misbehaving, short_folder: Path
) -> None:
    async with AsyncExitStack() as stack:
        brokers = await three(stack, short_folder, own_nats.server.url, server)
        before = len(server.asked)

        async def caller() -> Counter[str]:
            return Counter([await ask(own) for _ in range(4)])

        outcomes = sum(await asyncio.gather(*(caller() for _ in range(50))), Counter[str]())
        assert outcomes == {"answered": LIMIT, "budget_exceeded": 200 - LIMIT}
        assert len(server.asked) - before == LIMIT
        assert await ask(own, "other") == "answered"

        counted = await usage(own, 3)
        assert len({each.broker for each in counted}) == 3
        spenders = [counters for each in counted for counters in each.plugins if counters.key == "spender"]
        assert sum(counters.requests for counters in spenders) == 200
        assert sum(counters.refused.get("budget_exceeded", 0) for counters in spenders) == 200 - LIMIT
        assert sum(counters.output_tokens for counters in spenders) == 2 * LIMIT
        async with asyncio.timeout(20):
            # What was refused is taken off again a moment later.
            while {(state.key, state.used) for each in await usage(own, 3) for state in each.budgets} != {
                ("spender", LIMIT)
            }:
                pass

        for child in brokers[1:]:
            await child.kill()
        async with asyncio.timeout(20):
            # NATS may take a moment to know that they are gone.
            while await asyncio.wait_for(ask(own, "other"), 20) != "answered":
                pass
        assert await ask(own) == "budget_exceeded"
