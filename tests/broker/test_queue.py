"""Who waits, who is refused, who leaves."""

import asyncio

import pytest

from broker.scheduler import Bounds
from schemas.errors import AIErrorCode, AIFailure
from tests.broker.queueing import FakeServer, Hall


async def test_beyond_the_queue_of_a_plugin_requests_are_refused_at_once() -> None:
    hall = Hall(Bounds(queued=100, queued_a_plugin=3))
    asked = [hall.ask("a") for _ in range(6)]
    await hall.settled()
    assert [each.task.done() for each in asked] == [False] * 4 + [True] * 2
    error = asked[5].task.exception()
    assert isinstance(error, AIFailure)
    assert error.code is AIErrorCode.BUSY
    assert error.retry_after_ms is not None
    assert 100 <= error.retry_after_ms <= 60_000
    assert error.message == "the model servers are busy and 3 requests for a wait for them already, try again"
    assert asked[4].code() is AIErrorCode.BUSY
    await hall.serve_all()
    assert [each.task.done() and not each.task.exception() for each in asked] == [True] * 4 + [False] * 2


async def test_a_full_queue_has_room_for_a_newcomer() -> None:
    hall = Hall(Bounds(queued=10, queued_a_plugin=100))
    flood = [hall.ask("flood") for _ in range(11)]
    await hall.settled()
    other = hall.ask("other")
    await hall.settled()
    assert flood[10].code() is AIErrorCode.BUSY, "the latest of whoever has the most gives way"
    assert hall.scheduler.waiting == 10
    await hall.serve(2)
    assert other.began_at >= 0
    await hall.serve_all()


async def test_a_queue_full_of_equals_is_full() -> None:
    hall = Hall(Bounds(queued=5))
    asked = [hall.ask(f"p{number}") for number in range(7)]
    await hall.settled()
    assert asked[6].code() is AIErrorCode.BUSY
    await hall.serve_all()


async def test_a_caller_that_floods_a_plugin_gives_way_to_its_others() -> None:
    hall = Hall(Bounds(queued_a_plugin=5))
    flood = [hall.ask("a", "flood") for _ in range(6)]
    await hall.settled()
    other = hall.ask("a", "other")
    await hall.settled()
    assert flood[5].code() is AIErrorCode.BUSY
    await hall.serve(2)
    assert other.began_at >= 0
    await hall.serve_all()


async def test_what_expires_leaves_before_it_costs_anything() -> None:
    hall = Hall()
    hall.ask("a")
    await hall.settled()
    late = hall.ask("a", seconds=0.01)
    in_time = hall.ask("a")
    with pytest.raises(AIFailure) as caught:
        await late.task
    assert caught.value.code is AIErrorCode.TIMEOUT
    assert hall.scheduler.waiting == 1
    await hall.serve_all()
    assert late.began_at == -1
    assert in_time.began_at == 1.0


async def test_what_has_expired_already_is_refused() -> None:
    hall = Hall()
    late = hall.ask("a", seconds=-1.0)
    await hall.settled()
    assert late.code() is AIErrorCode.TIMEOUT


async def test_what_is_cancelled_leaves_at_once() -> None:
    hall = Hall()
    asked = [hall.ask("a") for _ in range(5)]
    await hall.settled()
    for each in (asked[2], asked[0], asked[4]):
        each.task.cancel()
    await hall.settled()
    assert hall.scheduler.waiting == 1, "one of the two that remain has the place"
    assert hall.running == [asked[1]]
    await hall.serve_all()
    assert hall.began == [asked[0], asked[1], asked[3]]


async def test_a_place_given_in_the_moment_of_cancelling_is_given_on() -> None:
    hall = Hall()
    first, second, third = (hall.ask("a") for _ in range(3))
    await hall.settled()
    # Both in one step: the second is given the place, and is cancelled before it runs.
    first.may_end.set()
    while not second.task.done():
        if hall.scheduler.waiting == 1:
            second.task.cancel()
        await asyncio.sleep(0)
    await hall.settled()
    assert second.task.cancelled()
    assert second.began_at == -1
    assert hall.running == [third]
    await hall.serve_all()


async def test_a_place_is_not_given_to_who_is_being_cancelled() -> None:
    hall = Hall()
    first, second, third = (hall.ask("a") for _ in range(3))
    await hall.settled()
    # The place is free before the second has noticed that it is to go.
    first.may_end.set()
    second.task.cancel()
    await hall.settled()
    assert hall.running == [third]
    await hall.serve_all()


async def test_requests_that_fail_give_their_place_back() -> None:
    hall = Hall()
    asked = [hall.ask("a") for _ in range(3)]
    await hall.settled()
    asked[0].task.cancel()
    await hall.settled()
    assert hall.running == [asked[1]]
    await hall.serve_all()


async def test_a_second_try_goes_before_the_others_of_its_caller_and_is_never_refused() -> None:
    hall = Hall(Bounds(queued=2, queued_a_plugin=2))
    for _ in range(3):
        hall.ask("a", "x")
    await hall.settled()
    again = hall.ask("a", "x", ahead=True)
    await hall.serve(1)
    assert hall.running == [again]
    await hall.serve_all()


async def test_without_a_server_that_answers_nobody_waits() -> None:
    server = FakeServer()
    hall = Hall(servers=[server])
    first, waiting = hall.ask("a"), hall.ask("a")
    await hall.settled()
    server.healthy = False
    hall.scheduler.changed()
    await hall.settled()
    assert waiting.code() is AIErrorCode.UNAVAILABLE
    late = hall.ask("a")
    await hall.settled()
    assert late.code() is AIErrorCode.UNAVAILABLE
    assert not first.task.done()
    await hall.serve_all()


async def test_the_load_says_what_runs_and_waits() -> None:
    hall = Hall()
    for _ in range(3):
        hall.ask("a", "x")
    hall.ask("", "y")
    await hall.settled()
    load = hall.scheduler.load()
    assert load.models == {"m": (1, 3)}
    assert load.plugins == {"a": (1, 2), "": (0, 1)}
    assert load.callers == {"x": (1, 2), "y": (0, 1)}
    assert hall.scheduler.running_at("one") == 1
    assert hall.scheduler.waiting_for("one") == 3
    assert hall.scheduler.running_at("elsewhere") == hall.scheduler.waiting_for("elsewhere") == 0
    await hall.serve_all()
