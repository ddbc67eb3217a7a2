"""Virtual time of plugins, and of the callers of a plugin: who has had less is next.

Start-time fair queueing (Goyal, Vin, Cheng 1996) in two levels. A flow's ``start`` is what it has had so far, in
seconds of model server; a newcomer starts at the present of those it competes with, neither rewarded nor punished for
having been away. What runs is counted beside that as it is expected to be, until it is over and its length known: an
estimate that was wrong moves nobody's present.

What deficit round robin (Shreedhar, Varghese 1996) gives in rounds, equal shares however unequal the requests, this
gives in order, and it still does so when not every flow may use every server.
"""

from dataclasses import dataclass, field

MAX_CREDIT_SECONDS = 30.0
"""A flow that had to wait for a server of its own may be so far behind the others, and not more."""

_KEPT_IDLE = 1024


@dataclass(eq=False, slots=True)
class Flow:
    """The requests of one plugin, or of one of its callers."""

    key: str
    clock: "Clock"
    callers: "Clock | None" = None
    """Of a plugin: the time of its callers."""
    start: float = 0.0
    expected: float = 0.0
    """Of its requests that run."""
    waiting: int = 0
    running: int = 0

    @property
    def rank(self) -> float:
        """The least is next."""
        return self.start + self.expected

    def catch_up(self) -> None:
        """It has been away, which is neither rewarded nor punished."""
        if self.waiting == 0 and self.start < self.clock.now:
            self.start = self.clock.now

    def arrive(self) -> None:
        """A request begins to wait."""
        self.catch_up()
        self.waiting += 1

    def begin(self, expected_seconds: float) -> None:
        """A request begins to run; it has been taken off those that wait."""
        clock = self.clock
        if self.start < clock.now - MAX_CREDIT_SECONDS:
            self.start = clock.now - MAX_CREDIT_SECONDS
        elif self.start > clock.now:
            clock.now = self.start
        self.expected += expected_seconds
        self.running += 1

    def end(self, expected_seconds: float, took_seconds: float) -> None:
        """A request has run for so long."""
        self.running -= 1
        # Sums of fractions that are taken off again do not come to nothing.
        self.expected = self.expected - expected_seconds if self.running else 0.0
        self.start += took_seconds
        self.clock.settle(self)


@dataclass(eq=False, slots=True)
class Clock:
    """Flows that compete with one another, and their present: the start of the latest turn."""

    now: float = 0.0
    flows: dict[str, Flow] = field(default_factory=dict)
    _forget_at: int = _KEPT_IDLE

    def flow(self, key: str, *, with_callers: bool = False) -> Flow:
        """The flow of this name."""
        found = self.flows.get(key)
        if found is None:
            self._forget()
            found = self.flows[key] = Flow(key, self, Clock() if with_callers else None, start=self.now)
        return found

    def settle(self, flow: Flow) -> None:
        """Forget a flow that has nothing here any more and is owed nothing."""
        if not flow.waiting and not flow.running and flow.start <= self.now:
            self.flows.pop(flow.key, None)

    def _forget(self) -> None:
        # Flows that were ahead when they left: their time has come, or there are too many of them.
        if len(self.flows) < self._forget_at:
            return
        busy = {key: flow for key, flow in self.flows.items() if flow.waiting or flow.running}
        ahead = {key: flow for key, flow in self.flows.items() if key not in busy and flow.start > self.now}
        self.flows = busy | (ahead if len(ahead) < _KEPT_IDLE else {})
        self._forget_at = 2 * len(self.flows) + _KEPT_IDLE
