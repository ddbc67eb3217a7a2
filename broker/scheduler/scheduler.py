"""Turns: a request waits for one, has a model server's place for its length, and gives it back.

Nothing here runs by itself: places are given away in the step in which one becomes free or a request arrives. After
every step no free place is left that somebody who waits could use.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType

from broker.scheduler.bounds import Bounds
from broker.scheduler.costs import Costs
from broker.scheduler.flows import Clock, Flow
from broker.scheduler.lanes import Lane, Waiting
from broker.scheduler.places import Places
from broker.scheduler.server import Server
from broker.ticket import Ticket
from schemas.errors import AIErrorCode, AIFailure

_RETRY_MS = (100, 60_000)


@dataclass(frozen=True, slots=True)
class Load:
    """Requests that run and that wait, by name."""

    models: dict[str, tuple[int, int]] = field(default_factory=dict)
    plugins: dict[str, tuple[int, int]] = field(default_factory=dict)
    callers: dict[str, tuple[int, int]] = field(default_factory=dict)


class Scheduler:
    """Gives turns. Of one event loop.

    Args:
        bounds: how much may run and wait.
        clock: seconds; the event loop's unless a test says otherwise. Deadlines are by the loop's.
    """

    def __init__(self, bounds: Bounds | None = None, clock: Callable[[], float] | None = None) -> None:
        self._bounds = bounds or Bounds()
        self._loop = asyncio.get_running_loop()
        self._time = clock or self._loop.time
        self._plugins = Clock()
        self._costs = Costs()
        self._places: dict[str, Places] = {}
        self._lanes: dict[tuple[str, tuple[str, ...]], Lane] = {}
        self._number = 0
        self._mean_seconds = 1.0
        self.waiting = 0
        """Requests that wait."""
        self.running = 0
        """Requests that have their turn."""

    def turn(self, ticket: Ticket, candidates: Sequence[Server], *, ahead: bool = False) -> "Turn":
        """``async with`` it: waits for a turn at one of the candidates, which is the value, and holds it.

        Args:
            ticket: the request; its ``target`` is the model.
            candidates: servers that may answer; those that are away or lack the model are left out while they do.
            ahead: it has had a turn already and a server failed it: before the others of its caller, and never refused.

        Raises:
            AIFailure: ``busy`` (the queue is full), ``timeout`` (the deadline came first), ``unavailable`` (none of
                the candidates is healthy and has the model, now or while it waits).
        """
        return Turn(self, ticket, candidates, ahead)

    def changed(self) -> None:
        """A server has come, gone, learned a model or changed its capacity."""
        for lane in list(self._lanes.values()):
            if not any(server.healthy and server.has(lane.model) for server in lane.servers):
                for waiting in list(lane):
                    self._refuse(waiting, _nobody(waiting.ticket))
        for places in self._places.values():
            self._fill(places)

    def running_at(self, url: str) -> int:
        """Requests that run at this server."""
        places = self._places.get(url)
        return places.running if places else 0

    def waiting_for(self, url: str) -> int:
        """Requests that wait and may go to this server."""
        places = self._places.get(url)
        return sum(lane.length for lane in places.lanes) if places else 0

    def load(self) -> Load:
        """What runs and waits now."""
        load = Load()
        for places in self._places.values():
            for model, running in places.by_model.items():
                _count(load.models, model, running, 0)
        for lane in self._lanes.values():
            _count(load.models, lane.model, 0, lane.length)
        for plugin in self._plugins.flows.values():
            if plugin.running or plugin.waiting:
                _count(load.plugins, _name(plugin.key), plugin.running, plugin.waiting)
            for caller in plugin.callers.flows.values() if plugin.callers else ():
                if caller.running or caller.waiting:
                    _count(load.callers, caller.key, caller.running, caller.waiting)
        return load

    def enter(self, ticket: Ticket, candidates: Sequence[Server], ahead: bool) -> Waiting:
        """Let a request wait, or give it a place at once. For `Turn`."""
        model = ticket.target
        able = [server for server in candidates if server.healthy and server.has(model)]
        if not able:
            raise _nobody(ticket)
        if ticket.deadline <= self._loop.time():
            raise _late(ticket)
        # Requests of no plugin would all be one flow: a stranger's flood there must not drown the others.
        plugin = self._plugins.flow(ticket.plugin or f"\0{ticket.caller}", with_callers=True)
        assert plugin.callers is not None
        caller = plugin.callers.flow(ticket.caller)
        self._number += 1
        waiting = Waiting(ticket, plugin, caller, self._number, self._loop.create_future())
        free = [places for server in able if (places := self._places_of(server)).room_for(model)]
        if free:
            places = free[0] if len(free) == 1 else min(free, key=lambda each: each.reluctance(model))
            for flow in (plugin, caller):
                flow.catch_up()
            self._begin(waiting, places)
            return waiting
        if not ahead:
            try:
                self._make_room(waiting, able)
            except AIFailure:
                self._settle(waiting)
                raise
        self._wait(waiting, candidates, ahead)
        return waiting

    def leave(self, waiting: Waiting) -> None:
        """A request is given up while it waits, or in the moment in which it was answered. For `Turn`."""
        granted = waiting.granted
        if granted.done() and not granted.cancelled() and granted.exception() is None:
            self.end(waiting, granted.result(), never_begun=True)
        elif not waiting.left:
            self._take_out(waiting)
            self._settle(waiting)

    def end(self, waiting: Waiting, server: Server, *, never_begun: bool = False) -> None:
        """A turn is over. For `Turn`."""
        places = self._places[server.url]
        places.give_back(waiting.ticket.target)
        self.running -= 1
        took = 0.0
        if not never_begun:
            took = self._time() - waiting.begun
            self._costs.learn(waiting.ticket, took)
            self._mean_seconds += 0.1 * (took - self._mean_seconds)
        for flow in (waiting.caller, waiting.plugin):
            flow.end(waiting.expected_seconds, took)
        if not self.running and not self.waiting:
            # Nobody competes with anybody any more: who has had more before shall not pay for it later.
            self._plugins = Clock()
            return
        self._moved(waiting)
        self._fill(places)

    def _places_of(self, server: Server) -> Places:
        places = self._places.get(server.url)
        if places is None:
            places = self._places[server.url] = Places(server, self._bounds)
        return places

    def _wait(self, waiting: Waiting, candidates: Sequence[Server], ahead: bool) -> None:
        key = (waiting.ticket.target, tuple(server.url for server in candidates))
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(key, tuple(candidates))
            for server in candidates:
                self._places_of(server).lanes[lane] = None
        waiting.lane = lane
        for flow in (waiting.plugin, waiting.caller):
            flow.arrive()
        lane.add(waiting, ahead=ahead)
        self.waiting += 1
        waiting.timer = self._loop.call_at(waiting.ticket.deadline, self._refuse, waiting, _late(waiting.ticket))

    def _take_out(self, waiting: Waiting) -> None:
        lane = waiting.lane
        assert lane is not None
        lane.remove(waiting)
        waiting.left = True
        self.waiting -= 1
        if waiting.timer is not None:
            waiting.timer.cancel()
        if not lane.length:
            del self._lanes[lane.key]
            for server in lane.servers:
                del self._places_of(server).lanes[lane]
        for flow in (waiting.caller, waiting.plugin):
            flow.waiting -= 1

    def _settle(self, waiting: Waiting) -> None:
        for flow in (waiting.caller, waiting.plugin):
            flow.clock.settle(flow)

    def _refuse(self, waiting: Waiting, error: AIFailure) -> None:
        """Whoever waits learns of it, unless it has gone itself."""
        if not waiting.left:
            self._take_out(waiting)
            self._settle(waiting)
        if not waiting.granted.done():
            waiting.granted.set_exception(error)

    def _fill(self, places: Places) -> None:
        while places.lanes:
            waiting = places.choose(self._time())
            if waiting is None:
                return
            if waiting.granted.done() or waiting.ticket.deadline <= self._loop.time():
                self._refuse(waiting, _late(waiting.ticket))
                continue
            self._take_out(waiting)
            self._begin(waiting, places)

    def _begin(self, waiting: Waiting, places: Places) -> None:
        waiting.expected_seconds = self._costs.expected_seconds(waiting.ticket)
        for flow in (waiting.plugin, waiting.caller):
            flow.begin(waiting.expected_seconds)
        places.take(waiting.ticket.target)
        self.running += 1
        self._moved(waiting)
        waiting.begun = self._time()
        waiting.granted.set_result(places.server)

    def _moved(self, waiting: Waiting) -> None:
        if waiting.plugin.waiting:
            for lane in self._lanes.values():
                lane.moved(waiting.plugin, waiting.caller)

    def _make_room(self, waiting: Waiting, able: Sequence[Server]) -> None:
        """See that one more may wait: whoever has more waiting than the newcomer gives up its latest."""
        bounds, plugin, caller = self._bounds, waiting.plugin, waiting.caller
        if plugin.waiting >= min(bounds.queued_a_plugin, bounds.queued):
            assert plugin.callers is not None
            longest = max(plugin.callers.flows.values(), key=lambda flow: flow.waiting)
            if longest.waiting <= caller.waiting + 1:
                name = waiting.ticket.plugin or waiting.ticket.caller
                raise self._busy(plugin.waiting, f" for {name}" if name else "", able)
            self._evict(plugin, longest, able)
        elif self.waiting >= bounds.queued:
            longest = max(self._plugins.flows.values(), key=lambda flow: flow.waiting)
            if longest.waiting <= plugin.waiting + 1:
                raise self._busy(self.waiting, "", able)
            self._evict(longest, None, able)

    def _evict(self, plugin: Flow, caller: Flow | None, able: Sequence[Server]) -> None:
        latest = [waiting for lane in self._lanes.values() for waiting in lane.latest(plugin, caller)]
        evicted = max(latest, key=lambda waiting: waiting.number)
        whose = caller or plugin
        self._refuse(evicted, self._busy(whose.waiting, " from there, more than from others", able))

    def _busy(self, ahead: int, whose: str, able: Sequence[Server]) -> AIFailure:
        places = max(1, sum(server.capacity for server in able))
        low, high = _RETRY_MS
        retry_after_ms = min(high, max(low, round(1000 * self._mean_seconds * ahead / places)))
        return AIFailure(
            f"the model servers are busy and {ahead} requests{whose} wait for them already, try again",
            AIErrorCode.BUSY,
            retry_after_ms=retry_after_ms,
        )


class Turn:
    """See `Scheduler.turn`."""

    __slots__ = ("_ahead", "_candidates", "_scheduler", "_server", "_ticket", "_waiting")

    def __init__(self, scheduler: Scheduler, ticket: Ticket, candidates: Sequence[Server], ahead: bool) -> None:
        self._scheduler = scheduler
        self._ticket = ticket
        self._candidates = candidates
        self._ahead = ahead

    async def __aenter__(self) -> Server:
        self._waiting = waiting = self._scheduler.enter(self._ticket, self._candidates, self._ahead)
        if waiting.granted.done():
            self._server = waiting.granted.result()
            return self._server
        try:
            self._server = await waiting.granted
        except asyncio.CancelledError:
            self._scheduler.leave(waiting)
            raise
        return self._server

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._scheduler.end(self._waiting, self._server)


def _nobody(ticket: Ticket) -> AIFailure:
    return AIFailure(f"no model server that answers has {ticket.target}", AIErrorCode.UNAVAILABLE)


def _late(ticket: Ticket) -> AIFailure:
    return AIFailure(f"the time was up before {ticket.target} was free", AIErrorCode.TIMEOUT)


def _name(key: str) -> str:
    return "" if key.startswith("\0") else key


def _count(into: dict[str, tuple[int, int]], key: str, running: int, waiting: int) -> None:
    before = into.get(key, (0, 0))
    into[key] = (before[0] + running, before[1] + waiting)
