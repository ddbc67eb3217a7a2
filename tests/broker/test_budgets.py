"""Budgets: what is counted, refused and given back, against a real JetStream."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
import pytest
from nats.aio.client import Client

from broker.budgets import Budgets, Counters, Limits
from broker.budgets.limits import Limit
from broker.budgets.streams import stream_name
from broker.ticket import Ticket
from schemas import bus
from schemas.ai import BudgetState
from schemas.errors import AIErrorCode, AIFailure, InvalidInput
from tests.support.servers import RestartableNats

NOON = 1_800_000_000.0 - 1_800_000_000 % 86_400 + 43_200
"""The time at which it is counted, unless a test says otherwise."""


def ticket(**changed: Any) -> Ticket:
    """A request of plugin ``p``."""
    given = {
        "operation": "generate",
        "model": "m",
        "target": "m",
        "deadline": asyncio.get_running_loop().time() + 30,
        "plugin": "p",
        "caller": "c",
        "execution_id": "e",
        "prompt_characters": 100,
    }
    return Ticket(**(given | changed))


@pytest.fixture
async def own(own_nats: RestartableNats) -> AsyncIterator[Client]:
    """A connection to a NATS of the test's own."""
    nc = await bus.connect(own_nats.server.url, "test")
    yield nc
    await nc.close()


@asynccontextmanager
async def counting(nc: Client, limits: Any, now: Callable[[], float] = lambda: NOON) -> AsyncIterator[Budgets]:
    """Budgets like these."""
    async with Counters(nc) as counters:
        yield Budgets(nc, Limits.parse(msgspec.json.encode(limits).decode()), counters, now)


async def spend(budgets: Budgets, *, output_tokens: int = 0, prompt_tokens: int | None = None, **changed: Any) -> None:
    """A request that costs something."""
    async with budgets.reserved(ticket(**changed)) as reservation:
        reservation.used(prompt_tokens, output_tokens)


async def fail(budgets: Budgets, *, begun: bool) -> None:
    """A request that the model server does not answer."""
    async with budgets.reserved(ticket()) as reservation:
        if begun:
            reservation.begun()
        raise ZeroDivisionError


async def refusal(budgets: Budgets, **changed: Any) -> AIFailure:
    """The error of a request, which there must be."""
    with pytest.raises(AIFailure) as caught:
        await spend(budgets, **changed)
    return caught.value


async def uses(budgets: Budgets, expected: dict[tuple[str, str], int]) -> None:
    """Wait until so much is used, by scope and what: giving back is not waited for."""
    async with asyncio.timeout(10):
        while {(state.scope, state.what): state.used for state in await budgets.states()} != expected:
            budgets._read_at = 0


async def test_the_last_one_fits_and_the_next_is_told_when(own: Client) -> None:
    async with counting(own, {"plugin": {"*": {"calls": {"minute": 3}}}}, lambda: NOON + 20) as budgets:
        for _ in range(3):
            await spend(budgets)
        error = await refusal(budgets)
        assert error.code is AIErrorCode.BUDGET_EXCEEDED
        assert error.message == "plugin p has used 3 of 3 calls a minute; it frees up in 40 s"
        assert error.retry_after_ms == 40_000
        assert error.retry_after_seconds == 40
        await spend(budgets, plugin="q")


async def test_a_new_minute_is_new_and_a_day_is_not(own: Client) -> None:
    now = NOON
    async with counting(own, {"global": {"calls": {"minute": 1, "day": 2}}}, lambda: now) as budgets:
        await spend(budgets)
        assert "calls a minute" in (await refusal(budgets)).message
        now += 60
        await spend(budgets)
        error = await refusal(budgets)
        assert "everybody together has used 2 of 2 calls a day" in error.message
        assert error.retry_after_ms == (43_200 - 60) * 1000
        now += 86_400
        await spend(budgets)


@pytest.mark.parametrize(
    ("scope", "others"),
    [("plugin", {"plugin": "q"}), ("caller", {"caller": "d"}), ("execution", {"execution_id": "f"})],
)
async def test_each_has_its_own(nc: Client, scope: str, others: dict[str, str]) -> None:
    limit = {"calls": 1} if scope == "execution" else {"calls": {"minute": 1}}
    minute = NOON + 60 * (10 + len(scope))
    async with counting(nc, {scope: {"*": limit}}, lambda: minute) as budgets:
        await spend(budgets)
        assert (await refusal(budgets)).code is AIErrorCode.BUDGET_EXCEEDED
        await spend(budgets, **others)
        assert (await refusal(budgets, **others)).code is AIErrorCode.BUDGET_EXCEEDED


async def test_a_name_of_its_own_replaces_what_everybody_has(own: Client) -> None:
    limits = {"plugin": {"*": {"calls": {"minute": 1}}, "q": {"calls": {"minute": 2}}, "free": {}}}
    async with counting(own, limits) as budgets:
        await spend(budgets, plugin="q")
        await spend(budgets, plugin="q")
        assert "2 of 2" in (await refusal(budgets, plugin="q")).message
        for _ in range(3):
            await spend(budgets, plugin="free")


async def test_an_execution_has_used_all_for_ever(own: Client) -> None:
    async with counting(own, {"execution": {"p": {"calls": 1}}}) as budgets:
        await spend(budgets)
        error = await refusal(budgets)
        assert error.message == "this execution has used 1 of 1 calls; that is all it gets"
        assert error.retry_after_ms is None
        await spend(budgets, plugin="q")


async def test_characters_are_exact(own: Client) -> None:
    async with counting(own, {"global": {"prompt_characters": {"day": 250}}}) as budgets:
        await spend(budgets, prompt_characters=200)
        error = await refusal(budgets, prompt_characters=51)
        assert "200 of 250 prompt characters a day, this request needs 51" in error.message
        await spend(budgets, prompt_characters=50)
        never = await refusal(budgets, prompt_characters=251)
        assert never.message.endswith("which is never free")
        assert never.retry_after_ms is None


async def test_output_tokens_are_reserved_and_the_rest_comes_back(own: Client) -> None:
    async with counting(own, {"global": {"output_tokens": {"minute": 1000}}}) as budgets:
        async with budgets.reserved(ticket(most_output_tokens=600)) as first:
            assert first.most_output_tokens == 600
            async with budgets.reserved(ticket(most_output_tokens=600)) as second:
                assert second.most_output_tokens == 400, "an answer is bounded by what is left"
                error = await refusal(budgets, most_output_tokens=600)
                assert "1,000 of 1,000 output tokens" in error.message
                second.used(10, 100)
            first.used(10, 100)
        await uses(budgets, {("global", "output_tokens"): 200})


async def test_an_answer_is_not_shortened_to_almost_nothing(own: Client) -> None:
    limits = {"global": {"output_tokens": {"minute": 1000}}}
    async with counting(own, limits) as budgets, budgets.reserved(ticket(most_output_tokens=800)):
        assert "this request needs 256" in (await refusal(budgets, most_output_tokens=600)).message
        async with budgets.reserved(ticket(most_output_tokens=100)):
            pass


async def test_what_nothing_bounds_is_bounded_by_the_least_budget(own: Client) -> None:
    limits = {"global": {"output_tokens": {"day": 100_000}}, "plugin": {"p": {"output_tokens": {"minute": 500}}}}
    async with counting(own, limits) as budgets, budgets.reserved(ticket(most_output_tokens=None)) as reservation:
        assert reservation.most_output_tokens == 500
        await uses(budgets, {("global", "output_tokens"): 500, ("plugin", "output_tokens"): 500})


async def test_without_a_budget_of_output_nothing_is_bounded(own: Client) -> None:
    async with counting(own, {"global": {"calls": {"day": 10}}}) as budgets, budgets.reserved(ticket()) as reservation:
        assert reservation.most_output_tokens is None


async def test_prompt_tokens_are_estimated_and_corrected(own: Client) -> None:
    async with counting(own, {"global": {"prompt_tokens": {"minute": 100}}}) as budgets:
        await spend(budgets, prompt_characters=150, prompt_tokens=80)
        await uses(budgets, {("global", "prompt_tokens"): 80})
        assert "80 of 100 prompt tokens" in (await refusal(budgets, prompt_characters=90)).message
        await spend(budgets, prompt_characters=30, prompt_tokens=None)
        await uses(budgets, {("global", "prompt_tokens"): 90})


async def test_what_failed_before_it_cost_anything_comes_back(own: Client) -> None:
    limits = {"plugin": {"p": {"calls": {"minute": 2}, "prompt_characters": {"day": 150}}}}
    async with counting(own, limits) as budgets:
        for _ in range(5):
            with pytest.raises(ZeroDivisionError):
                await fail(budgets, begun=False)
        with pytest.raises(ZeroDivisionError):
            await fail(budgets, begun=True)
        await uses(budgets, {("plugin", "calls"): 1, ("plugin", "prompt_characters"): 100})


async def test_what_one_budget_refuses_costs_the_others_nothing(own: Client) -> None:
    limits = {"global": {"calls": {"day": 100}}, "plugin": {"p": {"calls": {"minute": 1}}}}
    async with counting(own, limits) as budgets:
        await spend(budgets)
        for _ in range(5):
            await refusal(budgets)
        await uses(budgets, {("global", "calls"): 1, ("plugin", "calls"): 1})


async def test_never_one_over_whoever_asks_at_once(own: Client) -> None:
    limits = {"global": {"calls": {"day": 30}, "prompt_characters": {"day": 100_000}}}
    async with counting(own, limits) as one, counting(own, limits) as two, counting(own, limits) as three:
        asked = (spend(budgets) for _ in range(50) for budgets in (one, two, three))
        came = await asyncio.gather(*asked, return_exceptions=True)
        assert came.count(None) == 30
        assert {each.code for each in came if isinstance(each, AIFailure)} == {AIErrorCode.BUDGET_EXCEEDED}
        await uses(one, {("global", "calls"): 30, ("global", "prompt_characters"): 3_000})


async def test_a_reservation_cancelled_while_it_is_counted_comes_back(own: Client) -> None:
    async with counting(own, {"global": {"calls": {"day": 100}}}) as budgets:
        await spend(budgets)
        for _ in range(10):
            asked = asyncio.ensure_future(spend(budgets))
            await asyncio.sleep(0)
            asked.cancel()
            await asyncio.wait([asked])
            assert asked.cancelled()
        await spend(budgets)
        await uses(budgets, {("global", "calls"): 2})


async def test_no_budget_costs_no_message() -> None:
    async with budgets_of_nobody() as budgets, budgets.reserved(ticket()) as reservation:
        assert reservation.most_output_tokens is None
    assert await budgets.states() == []


@asynccontextmanager
async def budgets_of_nobody() -> AsyncIterator[Budgets]:
    """Without limits, and without NATS."""
    nobody: Any = None
    yield Budgets(nobody, Limits(), nobody)


async def test_callers_may_call_themselves_anything(own: Client) -> None:
    names = ["a.b", "*", ">", "a b", "ü", "", "~", "=x", "x" * 200, "\n", "\ud800"]
    async with counting(own, {"caller": {"*": {"calls": {"minute": 1}}}}) as budgets:
        for name in names:
            await spend(budgets, caller=name)
        for name in names:
            assert (await refusal(budgets, caller=name)).code is AIErrorCode.BUDGET_EXCEEDED
        assert {state.key for state in await budgets.states()} == set(names) - {"x" * 200, "\ud800"}


async def test_states_say_what_is_used_the_fullest_first(own: Client) -> None:
    limits = {
        "global": {"calls": {"day": 100}},
        "plugin": {"*": {"calls": {"minute": 2}}, "q": {"output_tokens": {"day": 5}}},
    }
    async with counting(own, limits, lambda: NOON + 30) as budgets:
        await spend(budgets)
        assert await budgets.states() == [
            BudgetState("plugin", "p", "calls", "minute", 1, 2, 30_000),
            BudgetState("global", "", "calls", "day", 1, 100, 43_170_000),
            BudgetState("plugin", "q", "output_tokens", "day", 0, 5, 43_170_000),
        ]


async def test_budgets_outlive_broker_and_nats(own_nats: RestartableNats) -> None:
    limits = {"global": {"calls": {"day": 2}}}
    nc = await bus.connect(own_nats.server.url, "test")
    async with counting(nc, limits) as budgets:
        await spend(budgets)
    await nc.close()
    await own_nats.restart()
    nc = await bus.connect(own_nats.server.url, "test")
    async with counting(nc, limits) as budgets:
        await spend(budgets)
        assert "2 of 2" in (await refusal(budgets)).message
    await nc.close()


async def test_without_jetstream_nothing_is_let_through_and_it_recovers(own: Client) -> None:
    async with counting(own, {"global": {"calls": {"day": 5}}}) as budgets:
        await spend(budgets)
        # Somebody keeps the streams from being made, and throws those that are there away.
        for window in ("minute", "day", "execution"):
            await own.request(f"$JS.API.STREAM.DELETE.{stream_name(window)}", b"", timeout=5)
        await spend(budgets)
        await uses(budgets, {("global", "calls"): 1})  # made again, and counted from nothing


async def test_a_nats_without_jetstream_is_named(own: Client, caplog: pytest.LogCaptureFixture) -> None:
    async with counting(own, {"global": {"calls": {"day": 5}}}) as budgets:
        budgets._counters._nc = _NoStreams(own)  # type: ignore[assignment]
        await budgets.check()
        await budgets.check()
        (said,) = [record.message for record in caplog.records if record.levelname == "ERROR"]
        assert said.endswith("requests that have one are refused: NATS runs without JetStream")
        budgets._counters._made = True
        error = await refusal(budgets)
        assert error.code is AIErrorCode.UNAVAILABLE
        assert "NATS runs without JetStream" in error.message
        assert error.retry_after_ms == 1_000
        budgets._counters._nc = own
        await spend(budgets)


async def test_what_is_counted_too_late_comes_back(own: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    async with counting(own, {"global": {"calls": {"day": 5}}}) as budgets:
        await spend(budgets)
        monkeypatch.setattr("broker.budgets.counters.ANSWER_SECONDS", 0.0)
        error = await refusal(budgets)
        assert error.code is AIErrorCode.UNAVAILABLE
        assert "did not answer within" in error.message
        monkeypatch.undo()
        await uses(budgets, {("global", "calls"): 1})
        await spend(budgets)
        await uses(budgets, {("global", "calls"): 2})


class _NoStreams:
    """A connection on which nobody answers for JetStream."""

    def __init__(self, nc: Client) -> None:
        self._nc = nc

    async def publish(self, subject: str, **more: Any) -> None:
        await self._nc.publish(f"nobody.{subject}", **more)

    async def request(self, subject: str, *given: Any, **more: Any) -> Any:
        return await self._nc.request(f"nobody.{subject}", *given, **more)


@pytest.mark.parametrize(
    "text",
    [
        "[]",
        "{",
        '{"plugins": {}}',
        '{"plugin": {"*": {"calls": 5}}}',
        '{"global": {"calls": {"minute": -1}}}',
        '{"global": {"calls": {"hour": 1}}}',
        '{"execution": {"*": {"calls": {"minute": 1}}}}',
        '{"caller": {"*": {"tokens": {"day": 1}}}}',
    ],
)
def test_budgets_that_cannot_be_read(text: str) -> None:
    with pytest.raises(InvalidInput, match="WASMFORGE_BUDGETS"):
        Limits.parse(text)


def test_no_text_is_no_budget() -> None:
    assert not Limits.parse("")
    assert not Limits.parse("{}")
    assert Limits.parse('{"global": {"calls": {"day": 1}}}')


def test_every_limit_is_found_by_its_counter() -> None:
    limits = Limits.parse(
        '{"global": {"calls": {"day": 1}}, "plugin": {"*": {"calls": {"minute": 2}}},'
        ' "caller": {"a.b": {"calls": {"day": 3}}}}'
    )
    asked = Ticket("generate", "m", "m", 0.0, plugin="p", caller="a.b")
    found: list[Limit] = limits.of(asked, NOON)
    assert len(found) == 3
    for limit in found:
        assert limits.at(limit.subject, NOON) == limit
    assert limits.at("wasmforge.budgets.day.1.plugin.x.calls", NOON) is None
    assert limits.at("wasmforge.budgets", NOON) is None
