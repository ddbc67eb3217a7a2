"""How many calls run, wait and are refused."""

import asyncio
from contextlib import AsyncExitStack

import pytest
from nats.aio.client import Client

from broker.room import Room
from schemas.errors import AIErrorCode, AIFailure
from tests.broker.asking import Caller, serving
from tests.broker.misbehaving import Misbehaving, answer, hangs, sends


class Gate:
    """Lets calls of the server end when a test says so."""

    def __init__(self, server: Misbehaving) -> None:
        self.open = asyncio.Event()
        self.running = 0
        self.most = 0
        self._changed = asyncio.Condition()
        server.generate = self._behave

    async def holds(self, count: int) -> None:
        """Wait until so many calls run."""
        async with asyncio.timeout(10), self._changed:
            await self._changed.wait_for(lambda: self.running == count)

    async def _behave(self, writer: asyncio.StreamWriter) -> None:
        await self._count(1)
        try:
            await self.open.wait()
        finally:
            await self._count(-1)
        await sends(answer())(writer)

    async def _count(self, step: int) -> None:
        async with self._changed:
            self.running += step
            self.most = max(self.most, self.running)
            self._changed.notify_all()


async def test_calls_beyond_the_places_wait_and_beyond_the_queue_are_refused(
    nc: Client, caller: Caller, server: Misbehaving
) -> None:
    gate = Gate(server)
    async with serving(nc, server.url, parallel=2, queued=3):
        tasks = [asyncio.create_task(caller.generate()) for _ in range(6)]
        (refused,), others = await asyncio.wait(tasks, timeout=5, return_when=asyncio.FIRST_COMPLETED)
        error = refused.exception()
        assert isinstance(error, AIFailure)
        assert error.code is AIErrorCode.BUSY
        assert error.message == "the model servers are busy and 3 requests wait for them already, try again"
        assert error.retry_after_ms
        await gate.holds(2)
        gate.open.set()
        assert [reply.response for reply in await asyncio.gather(*others)] == ["fine"] * 5
        assert gate.most == 2
        assert (await caller.generate()).response == "fine"


async def test_a_call_that_waits_too_long_leaves_the_queue(nc: Client, caller: Caller, server: Misbehaving) -> None:
    gate = Gate(server)
    async with serving(nc, server.url, parallel=1, queued=1):
        first = asyncio.create_task(caller.generate())
        await gate.holds(1)
        for _ in range(3):
            await caller.fails_at_once(AIErrorCode.TIMEOUT, timeout_ms=100)
        gate.open.set()
        await first
        assert (await caller.generate()).response == "fine"
        assert len(server.asked) == 2


async def test_calls_that_hang_give_their_places_back(nc: Client, caller: Caller, server: Misbehaving) -> None:
    server.generate = hangs
    async with serving(nc, server.url, parallel=2, queued=10):
        errors = await asyncio.gather(*(caller.failure(timeout_ms=200) for _ in range(6)))
        assert {error.code for error in errors} == {AIErrorCode.TIMEOUT}
        server.generate = sends(answer())
        replies = await asyncio.gather(*(caller.generate() for _ in range(6)))
        assert [reply.response for reply in replies] == ["fine"] * 6


async def test_no_call_is_longer_than_the_longest(nc: Client, caller: Caller, server: Misbehaving) -> None:
    server.generate = hangs
    async with serving(nc, server.url, longest_timeout_ms=200, default_timeout_ms=200):
        await caller.fails_at_once(AIErrorCode.TIMEOUT, timeout_ms=10**9)
        await caller.fails_at_once(AIErrorCode.TIMEOUT)


async def test_connections_are_used_again(nc: Client, caller: Caller, server: Misbehaving) -> None:
    async with serving(nc, server.url):
        for _ in range(5):
            await caller.generate()
    # One more is for what the broker asks by itself.
    assert server.connections <= 2


async def test_brokers_share_the_calls(nc: Client, caller: Caller, server: Misbehaving) -> None:
    async with Misbehaving().running() as other, AsyncExitStack() as brokers:
        for url in (server.url, other.url):
            await brokers.enter_async_context(serving(nc, url))
        await asyncio.gather(*(caller.generate() for _ in range(40)))
        assert len(server.asked) + len(other.asked) == 40
        assert server.asked
        assert other.asked


def test_the_memory_of_requests_is_bounded() -> None:
    room = Room(100)
    with room.taken(60):
        with pytest.raises(AIFailure) as caught, room.taken(41):
            pass
        assert caught.value.code is AIErrorCode.BUSY
        assert caught.value.retry_after_ms
        with room.taken(40):
            assert room.taken_bytes == 100
    assert room.taken_bytes == 0
