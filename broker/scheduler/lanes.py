"""Requests that wait, those for the same model and the same servers together: a lane."""

import asyncio
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field

from broker.scheduler.flows import Flow
from broker.scheduler.order import Order
from broker.scheduler.server import Server
from broker.ticket import Ticket


@dataclass(eq=False, slots=True)
class Waiting:
    """A request that waits."""

    ticket: Ticket
    plugin: Flow
    caller: Flow
    number: int
    granted: asyncio.Future[Server]
    lane: "Lane | None" = None
    """Where it waits; None: it need not."""
    timer: asyncio.TimerHandle | None = None
    begun: float = 0.0
    expected_seconds: float = 0.0
    left: bool = False
    """It waits no more."""
    passed_turns: int = 0
    passed_since: float = 0.0
    """How often, and since when, others were preferred because their model is loaded."""

    @property
    def rank(self) -> tuple[float, float, int]:
        """The least of all is next."""
        return self.plugin.rank, self.caller.rank, self.number


@dataclass(eq=False, slots=True)
class _Callers:
    """The requests of one plugin in a lane, by caller."""

    order: Order[Flow] = field(default_factory=Order)
    waiting: dict[Flow, OrderedDict[int, Waiting]] = field(default_factory=dict)


class Lane:
    """A queue of queues: plugins, callers, requests. Every operation is O(log n)."""

    def __init__(self, key: tuple[str, tuple[str, ...]], servers: tuple[Server, ...]) -> None:
        self.key = key
        self.model = key[0]
        self.servers = servers
        self.length = 0
        self._order: Order[Flow] = Order()
        self._plugins: dict[Flow, _Callers] = {}

    def __iter__(self) -> Iterator[Waiting]:
        for callers in self._plugins.values():
            for queue in callers.waiting.values():
                yield from queue.values()

    def add(self, waiting: Waiting, *, ahead: bool) -> None:
        """Let a request wait, at the end of its caller's or before the others of it."""
        callers = self._plugins.get(waiting.plugin)
        if callers is None:
            callers = self._plugins[waiting.plugin] = _Callers()
            self._order.put(waiting.plugin, waiting.plugin.rank)
        queue = callers.waiting.get(waiting.caller)
        if queue is None:
            queue = callers.waiting[waiting.caller] = OrderedDict()
            callers.order.put(waiting.caller, waiting.caller.rank)
        queue[waiting.number] = waiting
        if ahead:
            queue.move_to_end(waiting.number, last=False)
        self.length += 1

    def remove(self, waiting: Waiting) -> None:
        """Take a request out."""
        callers = self._plugins[waiting.plugin]
        queue = callers.waiting[waiting.caller]
        del queue[waiting.number]
        if not queue:
            del callers.waiting[waiting.caller]
            callers.order.drop(waiting.caller)
            if not callers.waiting:
                del self._plugins[waiting.plugin]
                self._order.drop(waiting.plugin)
        self.length -= 1

    def first(self) -> Waiting:
        """Whose turn it is; there must be one."""
        callers = self._plugins[self._order.first()]
        return next(iter(callers.waiting[callers.order.first()].values()))

    def latest(self, plugin: Flow, caller: Flow | None = None) -> list[Waiting]:
        """The latest request of each caller of a plugin, or of one of them."""
        callers = self._plugins.get(plugin)
        if callers is None:
            return []
        return [next(reversed(queue.values())) for flow, queue in callers.waiting.items() if caller in (None, flow)]

    def moved(self, plugin: Flow, caller: Flow) -> None:
        """Their virtual times have changed."""
        callers = self._plugins.get(plugin)
        if callers is not None:
            self._order.put(plugin, plugin.rank)
            if caller in callers.order:
                callers.order.put(caller, caller.rank)
