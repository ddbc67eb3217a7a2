"""What is counted, and told."""

from typing import Any

import msgspec
from nats.aio.client import Client

from broker.budgets import Budgets, Limits
from broker.scheduler import Scheduler
from broker.ticket import Ticket
from broker.usage import MOST_TOLD, OTHERS, Spent, Tally, Usage
from schemas import subjects
from schemas.ai import AIFinished, Counters
from schemas.errors import AIErrorCode, AIFailure
from tests.broker.queueing import Hall

TICKET = Ticket(
    "generate", "mistral:latest", "tiny", 0.0, plugin="p", caller="c", execution_id="e", prompt_characters=7
)
SPENT = Spent("tiny", "http://one", prompt_tokens=3, output_tokens=5, queue_us=10, generation_us=200)


def usage(nc: Client, scheduler: Scheduler | None = None) -> Usage:
    """Nothing counted yet, no budgets."""
    nobody: Any = None
    return Usage(nc, "b1", scheduler or Scheduler(), Budgets(nc, Limits(), nobody))


def event(**changed: Any) -> AIFinished:
    """A request."""
    return AIFinished(**({"operation": "chat", "model": "m", "time": ""} | changed))


async def test_a_request_is_counted_for_model_plugin_and_caller(nc: Client) -> None:
    counted = usage(nc)
    await counted.finished(TICKET, SPENT)
    await counted.finished(TICKET, SPENT, AIFailure("full", AIErrorCode.BUSY))
    told = await counted.reply()
    expected = Counters("tiny", 2, {"busy": 1}, 0, 6, 10, 20, 400)
    assert told.models == [expected]
    assert told.plugins == [msgspec.structs.replace(expected, key="p")]
    assert told.callers == [msgspec.structs.replace(expected, key="c")]
    assert (told.broker, told.budgets) == ("b1", [])
    assert told.since.endswith("Z")


async def test_what_came_from_the_cache_cost_no_tokens(nc: Client) -> None:
    counted = usage(nc)
    await counted.finished(TICKET, Spent("tiny", cached=True, prompt_tokens=3, output_tokens=5))
    (model,) = (await counted.reply()).models
    assert (model.requests, model.cached, model.output_tokens) == (1, 1, 0)


async def test_a_request_is_told_as_an_event(nc: Client) -> None:
    subscription = await nc.subscribe(subjects.AI_EVENTS)
    counted = usage(nc)
    await counted.finished(TICKET, SPENT)
    await counted.finished(Ticket("embed", "m", "m", 0.0), Spent(), AIFailure("late", AIErrorCode.TIMEOUT))
    await counted.finished(Ticket("embed", "m", "m", 0.0), Spent(), BaseException())
    first = await subscription.next_msg(timeout=5)
    assert first.subject == "wasmforge.events.ai.p"
    told = msgspec.json.decode(first.data, type=AIFinished)
    assert msgspec.structs.replace(told, time="") == AIFinished(
        operation="generate",
        model="mistral:latest",
        time="",
        plugin="p",
        caller="c",
        execution_id="e",
        answered_by="tiny",
        server="http://one",
        prompt_characters=7,
        prompt_tokens=3,
        output_tokens=5,
        queue_us=10,
        generation_us=200,
    )
    for code in ("timeout", "cancelled"):
        second = await subscription.next_msg(timeout=5)
        assert second.subject == "wasmforge.events.ai.none"
        failed = msgspec.json.decode(second.data, type=AIFinished)
        assert (failed.success, failed.error_code) == (False, code)
    await subscription.unsubscribe()


async def test_what_runs_and_waits_is_told_before_anything_is_over(nc: Client) -> None:
    hall = Hall()
    for _ in range(3):
        hall.ask("p", "c")
    await hall.settled()
    told = await usage(nc, hall.scheduler).reply()
    for counters in (told.models[0], told.plugins[0], told.callers[0]):
        assert (counters.requests, counters.running, counters.waiting) == (0, 1, 2)
    await hall.serve_all()


def test_names_are_bounded_and_nothing_is_lost() -> None:
    tally = Tally(most=10)
    for number in range(1_000):
        tally.count(f"k{number}", event(output_tokens=1, error_code="busy"))
        tally.count("loud", event(output_tokens=1))
    told = tally.told({}, MOST_TOLD)
    assert len(told) <= 20
    assert {counters.key: counters.requests for counters in told}["loud"] == 1_000
    assert OTHERS in {counters.key for counters in told}
    assert sum(counters.requests for counters in told) == 2_000
    assert sum(counters.output_tokens for counters in told) == 2_000
    assert sum(counters.refused.get("busy", 0) for counters in told) == 1_000


def test_those_with_the_most_requests_are_told() -> None:
    tally = Tally()
    for number in range(200):
        for _ in range(1 + number % 7):
            tally.count(f"k{number}", event())
    told = tally.told({"k0": (1, 2)}, 5)
    assert [counters.requests for counters in told] == [7] * 5


def test_what_was_told_does_not_change_afterwards() -> None:
    tally = Tally()
    tally.count("k", event(error_code="busy"))
    (told,) = tally.told({}, 1)
    tally.count("k", event(error_code="busy"))
    assert (told.requests, told.refused) == (1, {"busy": 1})
