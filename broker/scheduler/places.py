"""The places of one model server: who holds them, and who gets the next."""

from dataclasses import dataclass, field

from broker.scheduler.bounds import Bounds
from broker.scheduler.lanes import Lane, Waiting
from broker.scheduler.server import Server


@dataclass(eq=False, slots=True)
class Places:
    """What a model server is doing, as far as this broker has a part in it."""

    server: Server
    bounds: Bounds
    running: int = 0
    by_model: dict[str, int] = field(default_factory=dict)
    lanes: dict[Lane, None] = field(default_factory=dict)
    """Lanes in which somebody waits who may come here."""
    latest: str | None = None
    """The model of the latest request."""

    def room_for(self, model: str) -> bool:
        """Whether there is a free place for a request for this model."""
        if self.running >= self.server.capacity:
            return False
        return self.bounds.a_model is None or self.by_model.get(model, 0) < self.bounds.a_model

    def reluctance(self, model: str) -> tuple[bool, float]:
        """Of servers with a free place the one with the least takes the request."""
        return not self.ready(model), self.running / max(1, self.server.capacity)

    def ready(self, model: str) -> bool:
        """Whether the model answers without having to be loaded first."""
        if model == self.latest or self.by_model.get(model, 0):
            return True
        # What the server said before the latest model was loaded may no longer hold: that one can have replaced others.
        return self.server.loaded(model) and (self.latest is None or self.server.loaded(self.latest))

    def choose(self, now: float) -> Waiting | None:
        """Who gets the next place, if there is one and anybody can use it."""
        if self.running >= self.server.capacity or not self.server.healthy:
            return None
        first: Waiting | None = None
        first_ready: Waiting | None = None
        for lane in self.lanes:
            if not self.room_for(lane.model) or not self.server.has(lane.model):
                continue
            waiting = lane.first()
            if first is None or waiting.rank < first.rank:
                first = waiting
            if self.ready(lane.model) and (first_ready is None or waiting.rank < first_ready.rank):
                first_ready = waiting
        if first is None or first_ready is None or first is first_ready:
            return first
        if not first.passed_turns:
            first.passed_since = now
        if first.passed_turns >= self.bounds.turns_ahead or now - first.passed_since >= self.bounds.seconds_ahead:
            return first
        first.passed_turns += 1
        return first_ready

    def take(self, model: str) -> None:
        """A request begins here."""
        self.running += 1
        self.by_model[model] = self.by_model.get(model, 0) + 1
        self.latest = model

    def give_back(self, model: str) -> None:
        """It has ended."""
        self.running -= 1
        self.by_model[model] -= 1
        if not self.by_model[model]:
            del self.by_model[model]
