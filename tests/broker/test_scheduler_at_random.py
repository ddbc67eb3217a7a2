"""Requests, cancellations, servers that come, go and learn, in any order: what must hold after every step."""

import random

import pytest

from broker.scheduler import Bounds
from schemas.errors import AIFailure
from tests.broker.queueing import Asked, FakeServer, Hall

MODELS = ("m", "n", "o")


def servers(chance: random.Random) -> list[FakeServer]:
    """Three, each with some of the models."""
    return [
        FakeServer(
            name,
            capacity=chance.randint(1, 3),
            models=set(chance.sample(MODELS, chance.randint(1, 3))),
            in_memory=set(chance.sample(MODELS, 1)),
        )
        for name in ("one", "two", "three")
    ]


def check(hall: Hall, asked: list[Asked]) -> None:
    """What must hold after every step."""
    scheduler = hall.scheduler
    waiting = [each for each in asked if not each.task.done() and each not in hall.running]
    assert scheduler.waiting == len(waiting)
    assert scheduler.running == len(hall.running)
    load = scheduler.load()
    for counted in (load.models, load.plugins, load.callers):
        assert sum(running for running, _ in counted.values()) == len(hall.running)
        assert sum(waits for _, waits in counted.values()) == len(waiting)
    for server in hall.servers:
        places = scheduler._places.get(server.url)
        if places is None:
            continue
        assert places.running == sum(each.server == server.url for each in hall.running)
        for lane in places.lanes:
            assert lane.length == len(list(lane)) > 0
            # No place is free that somebody who waits could use.
            assert not (server.healthy and server.has(lane.model) and places.room_for(lane.model))


async def step(hall: Hall, asked: list[Asked], chance: random.Random) -> None:
    """Something happens."""
    what = chance.random()
    alive = [each for each in asked if not each.task.done()]
    if what < 0.45:
        plugin, caller = chance.choice("abc"), chance.choice("xyz")
        candidates = chance.sample(hall.servers, chance.randint(1, 3))
        more = {"ahead": True} if chance.random() < 0.1 else {}
        asked.append(hall.ask(plugin, caller, chance.choice(MODELS), candidates=candidates, **more))
    elif what < 0.75 and hall.running:
        hall.now += chance.random()
        chance.choice(hall.running).may_end.set()
    elif what < 0.9 and alive:
        if hall.running and chance.random() < 0.5:
            hall.running[0].may_end.set()
        chance.choice(alive).task.cancel()
    else:
        server = chance.choice(hall.servers)
        match chance.randrange(3):
            case 0:
                server.healthy = not server.healthy
            case 1:
                server.capacity = chance.randint(0, 3)
            case 2:
                server.models ^= {chance.choice(MODELS)}
        hall.scheduler.changed()


@pytest.mark.parametrize("seed", range(20))
async def test_nothing_is_stuck_and_nothing_is_lost(seed: int) -> None:
    chance = random.Random(seed)
    hall = Hall(Bounds(queued=20, queued_a_plugin=12, a_model=2, turns_ahead=2), servers(chance))
    asked: list[Asked] = []
    for _ in range(300):
        await step(hall, asked, chance)
        await hall.settled()
        check(hall, asked)
    for server in hall.servers:
        server.healthy, server.capacity, server.models = True, 2, set(MODELS)
    hall.scheduler.changed()
    await hall.serve_all()
    assert not hall.scheduler._lanes
    for each in asked:
        if each.task.cancelled():
            continue
        error = each.task.exception()
        assert error is None or isinstance(error, AIFailure)
    assert any(each.began_at >= 0 for each in asked)
