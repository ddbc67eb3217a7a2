"""Fairness, budgets, cache and counts, as those on NATS meet them."""

import asyncio
from typing import Any

import msgspec
import pytest
from nats.aio.client import Client

from schemas import bus, headers, subjects
from schemas.ai import AIFinished, GenerateReply, UsageReply
from schemas.errors import AIErrorCode, AIFailure
from tests.broker.asking import serving
from tests.broker.misbehaving import Misbehaving, answer, sends
from tests.broker.test_load import Gate
from tests.support.servers import RestartableNats

FIXED = {"temperature": 0}


async def ask(nc: Client, prompt: str = "Hi", plugin: str = "p", **more: Any) -> GenerateReply:
    """A request for a plugin, or the error that was answered."""
    body = msgspec.json.encode({"model": "mistral:latest", "prompt": prompt} | more)
    given = {headers.PLUGIN: plugin, headers.CALLER: "c", headers.EXECUTION_ID: "e"}
    reply = await nc.request(subjects.AI_GENERATE, body, timeout=60, headers=given)
    if error := headers.get_error(reply.headers, reply.data):
        raise error
    return msgspec.json.decode(reply.data, type=GenerateReply)


async def usage(nc: Client) -> UsageReply:
    """What the broker counted."""
    return msgspec.json.decode((await nc.request(subjects.AI_USAGE, b"", timeout=5)).data, type=UsageReply)


class Turnstile:
    """Lets one request of the server end after the other."""

    def __init__(self, server: Misbehaving) -> None:
        self._permits = asyncio.Semaphore(0)
        self._server = server
        server.generate = self._behave

    async def reached(self, count: int) -> list[str]:
        """Prompts, once so many have come to the server."""
        async with asyncio.timeout(20):
            while len(self._server.asked) < count:  # noqa: ASYNC110  # nobody tells
                await asyncio.sleep(0.002)
        return [asked.json["prompt"] for asked in self._server.asked]

    def let(self, count: int = 1) -> None:
        """Let so many end."""
        for _ in range(count):
            self._permits.release()

    async def _behave(self, writer: asyncio.StreamWriter) -> None:
        await self._permits.acquire()
        await sends(answer())(writer)


async def test_one_request_overtakes_another_plugins_flood(nc: Client, server: Misbehaving) -> None:
    turnstile = Turnstile(server)
    async with serving(nc, server.url, parallel=1):
        flood = [asyncio.create_task(ask(nc, f"flood {number}", "flood")) for number in range(200)]
        await turnstile.reached(1)
        async with asyncio.timeout(20):
            while sum(each.waiting for each in (await usage(nc)).plugins) < 199:
                pass
        other = asyncio.create_task(ask(nc, "other", "other"))
        async with asyncio.timeout(20):
            while sum(each.waiting for each in (await usage(nc)).plugins) < 200:
                pass
        turnstile.let()
        assert (await turnstile.reached(2))[1] == "other"
        turnstile.let()
        assert (await other).response == "fine"
        assert sum(task.done() for task in flood) <= 1
        turnstile.let(199)
        await asyncio.gather(*flood)


async def test_equal_requests_are_asked_once_if_their_plugin_says_so(nc: Client, server: Misbehaving) -> None:
    gate = Gate(server)
    async with serving(nc, server.url):
        same = [asyncio.create_task(ask(nc, cache=True, options=FIXED)) for _ in range(5)]
        others = [
            asyncio.create_task(ask(nc, cache=True, options=FIXED, plugin="q")),
            asyncio.create_task(ask(nc, options=FIXED)),
            asyncio.create_task(ask(nc, cache=True)),
        ]
        await gate.holds(4)
        gate.open.set()
        assert sorted(reply.cached for reply in await asyncio.gather(*same)) == [False] + [True] * 4
        assert not any(reply.cached for reply in await asyncio.gather(*others))
        again = await ask(nc, cache=True, options=FIXED)
        assert again.cached
        assert (again.response, again.answered_by, again.queue_us) == ("fine", "smollm2:135m", 0)
        assert len(server.asked) == 4


async def test_when_who_asks_goes_the_others_still_get_their_answer(nc: Client, server: Misbehaving) -> None:
    gate = Gate(server)
    async with serving(nc, server.url):
        first = asyncio.create_task(_impatient(nc))
        await gate.holds(1)
        second = asyncio.create_task(ask(nc, cache=True, options=FIXED))
        with pytest.raises(AIFailure) as caught:
            await first
        assert caught.value.code is AIErrorCode.TIMEOUT
        await gate.holds(1)
        gate.open.set()
        assert not (await second).cached
        assert len(server.asked) == 2


async def _impatient(nc: Client) -> None:
    body = msgspec.json.encode({"model": "mistral:latest", "prompt": "Hi", "cache": True, "options": FIXED})
    given = {headers.PLUGIN: "p", headers.TIMEOUT_MS: "300"}
    reply = await nc.request(subjects.AI_GENERATE, body, timeout=60, headers=given)
    error = headers.get_error(reply.headers, reply.data)
    assert error is not None
    raise error


async def test_a_budget_refuses_and_says_when(own_nats: RestartableNats, server: Misbehaving) -> None:
    nc = await bus.connect(own_nats.server.url, "test")
    budgets = '{"plugin": {"p": {"calls": {"day": 2}}}}'
    async with serving(nc, server.url, environment={"WASMFORGE_BUDGETS": budgets}):
        await ask(nc)
        await ask(nc)
        with pytest.raises(AIFailure) as caught:
            await ask(nc)
        assert caught.value.code is AIErrorCode.BUDGET_EXCEEDED
        assert caught.value.message.startswith("plugin p has used 2 of 2 calls a day; it frees up in ")
        assert 0 < (caught.value.retry_after_ms or 0) <= 86_400_000
        await ask(nc, plugin="q")
        assert len(server.asked) == 3
    await nc.close()


async def test_a_budget_of_output_bounds_the_answer(own_nats: RestartableNats, server: Misbehaving) -> None:
    nc = await bus.connect(own_nats.server.url, "test")
    budgets = '{"execution": {"*": {"output_tokens": 300}}}'
    async with serving(nc, server.url, environment={"WASMFORGE_BUDGETS": budgets}):
        await ask(nc)
        await ask(nc, options={"num_predict": 20})
        await ask(nc, options={"num_predict": 0})  # which bounds nothing
        await ask(nc)
        assert [asked.json["options"]["num_predict"] for asked in server.asked] == [300, 20, 296, 294]
    await nc.close()


async def test_what_no_server_answers_costs_no_budget(own_nats: RestartableNats, server: Misbehaving) -> None:
    nc = await bus.connect(own_nats.server.url, "test")
    budgets = '{"global": {"calls": {"day": 2}}}'
    async with serving(nc, server.url, environment={"WASMFORGE_BUDGETS": budgets}):
        good, server.generate = server.generate, sends(b"HTTP/1.1 500 no\r\nContent-Length: 0\r\n\r\n")
        for _ in range(4):
            with pytest.raises(AIFailure) as caught:
                await ask(nc)
            assert caught.value.code is not AIErrorCode.BUDGET_EXCEEDED
        server.generate = good
        await ask(nc)
        await ask(nc)
    await nc.close()


async def test_what_comes_from_the_cache_costs_no_budget(own_nats: RestartableNats, server: Misbehaving) -> None:
    nc = await bus.connect(own_nats.server.url, "test")
    async with serving(nc, server.url, environment={"WASMFORGE_BUDGETS": '{"global": {"calls": {"day": 1}}}'}):
        for cached in (False, True, True):
            assert (await ask(nc, cache=True, options=FIXED)).cached is cached
        with pytest.raises(AIFailure) as caught:
            await ask(nc, "Something else", cache=True, options=FIXED)
        assert caught.value.code is AIErrorCode.BUDGET_EXCEEDED
    await nc.close()


async def test_what_a_budget_cut_short_is_nobody_elses(own_nats: RestartableNats, server: Misbehaving) -> None:
    nc = await bus.connect(own_nats.server.url, "test")
    server.generate = sends(answer("cut off", eval_count=300, done_reason="length"))
    budgets = '{"caller": {"*": {"output_tokens": {"day": 300}}}}'
    async with serving(nc, server.url, environment={"WASMFORGE_BUDGETS": budgets}):
        body = msgspec.json.encode({"model": "mistral:latest", "prompt": "Hi", "cache": True, "options": FIXED})
        for caller in ("one", "two"):
            given = {headers.PLUGIN: "p", headers.CALLER: caller}
            reply = await nc.request(subjects.AI_GENERATE, body, timeout=20, headers=given)
            assert headers.get_error(reply.headers, reply.data) is None
            assert not msgspec.json.decode(reply.data, type=GenerateReply).cached
    await nc.close()


async def test_what_waited_in_vain_costs_no_budget(own_nats: RestartableNats, server: Misbehaving) -> None:
    nc = await bus.connect(own_nats.server.url, "test")
    turnstile = Turnstile(server)
    budgets = '{"global": {"calls": {"day": 2}}}'
    async with serving(nc, server.url, parallel=1, environment={"WASMFORGE_BUDGETS": budgets}):
        first = asyncio.create_task(ask(nc))
        await turnstile.reached(1)
        with pytest.raises(AIFailure) as caught:
            await _impatient(nc)
        assert caught.value.code is AIErrorCode.TIMEOUT
        turnstile.let(2)
        await first
        await ask(nc)
        with pytest.raises(AIFailure) as caught:
            await ask(nc)
        assert caught.value.code is AIErrorCode.BUDGET_EXCEEDED
    await nc.close()


async def test_what_was_asked_is_counted_and_told(nc: Client, server: Misbehaving) -> None:
    events = await nc.subscribe(subjects.ai_event("counted"))
    async with serving(nc, server.url):
        await ask(nc, plugin="counted")
        server.generate = sends(b"HTTP/1.1 400 no\r\nContent-Length: 0\r\n\r\n")
        with pytest.raises(AIFailure) as caught:
            await ask(nc, "Hello", plugin="counted")
        counted = await usage(nc)
        (plugin,) = counted.plugins
        assert (plugin.key, plugin.requests, plugin.prompt_tokens, plugin.output_tokens) == ("counted", 2, 3, 2)
        assert plugin.refused == {str(caught.value.code): 1}
        assert plugin.generation_us > 0
        assert [model.key for model in counted.models] == ["smollm2:135m"]
        assert [caller.key for caller in counted.callers] == ["c"]
        told = msgspec.json.decode((await events.next_msg(timeout=5)).data, type=AIFinished)
        assert (told.success, told.execution_id, told.answered_by) == (True, "e", "smollm2:135m")
        assert (told.server, told.prompt_characters, told.output_tokens) == (server.url, 2, 2)
        told = msgspec.json.decode((await events.next_msg(timeout=5)).data, type=AIFinished)
        assert (told.success, told.error_code) == (False, str(caught.value.code))
    await events.unsubscribe()
