"""Which server takes a request, and when a server changes its model."""

from itertools import groupby

from broker.scheduler import Bounds
from tests.broker.queueing import FakeServer, Hall


def _two() -> list[FakeServer]:
    return [FakeServer("one", capacity=2), FakeServer("two", capacity=2)]


async def test_no_server_gets_more_than_it_takes() -> None:
    hall = Hall(servers=[FakeServer("one", capacity=2), FakeServer("two", capacity=1)])
    for _ in range(9):
        hall.ask("a")
    await hall.settled()
    assert sorted(asked.server for asked in hall.running) == ["one", "one", "two"]
    await hall.serve_all()


async def test_no_model_gets_more_than_it_may() -> None:
    server = FakeServer(capacity=4, models={"m", "n"}, in_memory={"m", "n"})
    hall = Hall(Bounds(a_model=2), [server])
    for _ in range(4):
        hall.ask("a", model="m")
    other = hall.ask("b", model="n")
    await hall.settled()
    assert len(hall.running) == 3
    assert other in hall.running, "a model that has its share holds up no other"
    await hall.serve_all()


async def test_a_request_goes_where_the_model_is_and_the_queue_is_short() -> None:
    servers = _two()
    servers[0].in_memory = set()
    hall = Hall(servers=servers)
    first, second, third = (hall.ask("a") for _ in range(3))
    await hall.settled()
    assert first.server == second.server == "two"
    assert third.server == "one", "a server with a free place is better than waiting"
    await hall.serve_all()


async def test_a_request_keeps_to_its_candidates() -> None:
    hall = Hall(servers=_two())
    asked = [hall.ask("a", candidates=hall.servers[1:]) for _ in range(4)]
    await hall.serve_all()
    assert {each.server for each in asked} == {"two"}


async def test_a_server_that_lacks_a_model_is_left_out_until_it_has_it() -> None:
    servers = _two()
    servers[1].models = set()
    hall = Hall(servers=servers)
    for _ in range(4):
        hall.ask("a")
    await hall.settled()
    assert [asked.server for asked in hall.running] == ["one", "one"]
    servers[1].models = {"m"}
    hall.scheduler.changed()
    await hall.settled()
    assert len(hall.running) == 4
    await hall.serve_all()


async def test_a_server_that_grows_is_used() -> None:
    server = FakeServer()
    hall = Hall(servers=[server])
    for _ in range(4):
        hall.ask("a")
    await hall.settled()
    server.capacity = 3
    hall.scheduler.changed()
    await hall.settled()
    assert len(hall.running) == 3
    await hall.serve_all()


async def test_two_models_on_one_server_take_turns_in_groups() -> None:
    server = FakeServer(models={"m", "n"}, in_memory=set())
    hall = Hall(Bounds(turns_ahead=4, seconds_ahead=1000.0), [server])
    for _ in range(40):
        hall.ask("a", model="m")
        hall.ask("b", model="n")
    await hall.serve(60)
    groups = [len(list(group)) for _, group in groupby(hall.names()[:60])]
    # Four turns ahead of the others, and then those that the others are owed.
    assert min(groups[1:-1]) >= 4, groups
    assert max(groups) <= 10, groups
    await hall.serve_all()


async def test_nobody_is_passed_over_for_longer_than_said() -> None:
    server = FakeServer(models={"m", "n"}, in_memory=set())
    hall = Hall(Bounds(turns_ahead=1000, seconds_ahead=3.0), [server])
    for _ in range(40):
        hall.ask("a", model="m")
    await hall.settled()
    other = hall.ask("b", model="n")
    await hall.serve(10)
    assert 3.0 <= other.began_at <= 5.0
    await hall.serve_all()


async def test_what_the_server_said_before_it_changed_its_model_is_not_believed() -> None:
    """Its list still names the model it may just have thrown out; going on with the new one is what's safe."""
    server = FakeServer(models={"m", "n"}, in_memory={"m"})
    hall = Hall(Bounds(turns_ahead=3, seconds_ahead=1000.0), [server])
    hall.ask("a", model="n")
    await hall.settled()
    for _ in range(10):
        hall.ask("a", model="m")
        hall.ask("b", model="n")
    await hall.serve(4)
    assert hall.names()[:4] == ["a", "b", "b", "b"]
    await hall.serve_all()


async def test_models_that_are_both_loaded_do_not_wait_for_one_another() -> None:
    server = FakeServer(models={"m", "n"}, in_memory={"m", "n"})
    hall = Hall(servers=[server])
    for _ in range(10):
        hall.ask("a", model="m")
        hall.ask("b", model="n")
    await hall.serve(10)
    groups = [len(list(group)) for _, group in groupby(hall.names()[:10])]
    assert max(groups) <= 2, groups
    await hall.serve_all()
