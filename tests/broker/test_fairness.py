"""Whose turn it is."""

from collections import Counter

import pytest

from broker.scheduler import Bounds
from broker.scheduler.order import Order
from tests.broker.queueing import FakeServer, Hall


async def test_one_request_among_a_flood_is_answered_within_two_service_times() -> None:
    hall = Hall()
    flood = [hall.ask("flood") for _ in range(200)]
    await hall.serve(3)
    arrived = hall.now
    other = hall.ask("other")
    await hall.serve(1)
    assert other.began_at - arrived <= 1.0, "it waited for more than the request that was being served"
    await hall.serve(1)
    assert other.task.done()
    assert sum(asked.task.done() for asked in flood) == 4
    await hall.serve_all()


async def test_the_same_with_several_places_and_requests_that_last() -> None:
    hall = Hall(servers=[FakeServer(capacity=4)])
    for _ in range(200):
        hall.ask("flood", seconds=600)
    await hall.serve(8, seconds=5)
    other = hall.ask("other")
    await hall.serve(1, seconds=5)
    assert other.began_at == hall.now
    await hall.serve_all()


@pytest.mark.parametrize("capacity", [1, 3])
async def test_equal_plugins_get_equal_shares_however_many_they_ask(capacity: int) -> None:
    hall = Hall(servers=[FakeServer(capacity=capacity)])
    for plugin, count in (("a", 200), ("b", 60), ("c", 40)):
        for _ in range(count):
            hall.ask(plugin)
    await hall.serve(99)
    shares = Counter(hall.names()[:99])
    assert max(shares.values()) - min(shares.values()) < 0.1 * 33, shares
    await hall.serve_all()


async def test_shares_are_of_time_not_of_requests() -> None:
    """A plugin whose answers take four times as long gets a quarter of the turns, once that is known."""
    hall = Hall()
    for _ in range(200):
        hall.ask("long")
        hall.ask("short")
    had = Counter[str]()
    for _ in range(150):
        await hall.settled()
        name = hall.running[0].name
        seconds = 4.0 if name == "long" else 1.0
        had[name] += round(seconds)
        await hall.serve(1, seconds)
    assert abs(had["long"] - had["short"]) <= 0.1 * had["short"], had
    await hall.serve_all()


async def test_who_announces_more_is_charged_more_before_anything_is_known() -> None:
    server = FakeServer()
    hall = Hall(servers=[server])
    hall.ask("first")
    await hall.settled()
    for _ in range(40):
        hall.ask("large", prompt_characters=4_000, most_output_tokens=1024)
        hall.ask("small", most_output_tokens=128)
    await hall.settled()
    server.capacity = 31
    hall.scheduler.changed()
    await hall.settled()
    shares = Counter(hall.names()[1:])
    assert shares["small"] > 4 * shares["large"] > 0, shares
    await hall.serve_all()


async def test_callers_of_a_plugin_get_equal_shares_of_it() -> None:
    hall = Hall()
    flood = [hall.ask("a", "flood") for _ in range(100)]
    modest = [hall.ask("a", "modest") for _ in range(20)]
    other = [hall.ask("b", "flood") for _ in range(100)]
    await hall.serve(78)
    began = [sum(asked.began_at >= 0 for asked in group) for group in (flood, modest, other)]
    assert abs(began[2] - 39) <= 1, began
    assert abs(began[0] - began[1]) <= 1, began
    await hall.serve_all()


async def test_requests_of_no_plugin_are_told_apart_by_caller() -> None:
    hall = Hall(Bounds(queued=100, queued_a_plugin=50))
    flood = [hall.ask("", "flood") for _ in range(100)]
    await hall.settled()
    assert sum(asked.task.done() for asked in flood) == 49
    other = hall.ask("", "other")
    await hall.serve(2)
    assert other.began_at >= 0
    await hall.serve_all()


async def test_a_plugin_that_was_away_is_neither_rewarded_nor_punished() -> None:
    hall = Hall()
    for _ in range(100):
        hall.ask("a")
    await hall.serve(50)
    for _ in range(50):
        hall.ask("b")
    await hall.serve(20)
    shares = Counter(hall.names()[51:71])
    assert abs(shares["a"] - shares["b"]) <= 1, shares
    await hall.serve_all()


async def test_whoever_asks_again_only_after_the_answer_has_a_full_share_too() -> None:
    hall = Hall()
    for _ in range(100):
        hall.ask("flood")
    for _ in range(20):
        one = hall.ask("one by one")
        while not one.task.done():
            await hall.serve(1)
    shares = Counter(hall.names())
    assert shares["flood"] <= 22, shares
    await hall.serve_all()


async def test_a_wrong_estimate_is_nobodys_gain() -> None:
    """Before anything is known of a model its requests are taken for far longer than these are."""
    hall = Hall(servers=[FakeServer(capacity=2)])
    for _ in range(100):
        hall.ask("first")
    await hall.settled()
    for _ in range(100):
        hall.ask("second")
    await hall.serve(60, seconds=0.005)
    shares = Counter(hall.names()[:60])
    assert abs(shares["first"] - shares["second"]) <= 3, shares
    await hall.serve_all()


async def test_shares_hold_across_models_and_servers() -> None:
    """A plugin that asks for two models does not get twice as much as one that asks for one."""
    server = FakeServer(models={"m", "n"}, in_memory={"m", "n"}, capacity=1)
    hall = Hall(servers=[server])
    for _ in range(60):
        hall.ask("two", model="m")
        hall.ask("two", model="n")
        hall.ask("one", model="m")
    await hall.serve(60)
    shares = Counter(hall.names()[:60])
    assert abs(shares["two"] - shares["one"]) <= 1, shares
    await hall.serve_all()


async def test_a_thousand_plugins_that_come_and_go_leave_nothing() -> None:
    hall = Hall(Bounds(queued=5_000))
    for turn in range(3_000):
        hall.ask(f"p{turn}", f"c{turn}")
    await hall.serve_all()
    assert len(hall.scheduler._plugins.flows) == 0
    assert not hall.scheduler._lanes


def test_an_order_knows_the_least_whatever_changes() -> None:
    order: Order[str] = Order()
    for round_ in range(200):
        for key in "abc":
            order.put(key, round_)
    order.put("b", 7)
    assert order.first() == "b"
    order.drop("b")
    assert order.first() == "a"
    order.put("a", 999)
    assert order.first() == "c"
    assert "a" in order
    assert len(order) == 2
    assert len(order._entries) < 40
