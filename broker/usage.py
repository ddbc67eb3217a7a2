"""What was asked of models, by model, plugin and caller: counted since the broker started, and told as events."""

import time
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg

from broker.budgets import Budgets
from broker.scheduler import Scheduler
from broker.ticket import Ticket
from schemas import subjects
from schemas.ai import AIFinished, Counters, UsageReply
from schemas.errors import AIErrorCode, AIFailure, WasmForgeError

MOST_KEYS = 500
"""Plugins, and callers, that are counted one by one."""

MOST_TOLD = 100
"""Of them so many are told, those with the most requests."""

OTHERS = "(others)"
"""Stands for those that had the fewest requests when there were too many of them."""


class Tally:
    """Counters by a name that anybody may choose, so that their number has a bound."""

    def __init__(self, most: int = MOST_KEYS) -> None:
        self._most = most
        self._counters: dict[str, Counters] = {}

    def count(self, key: str, finished: AIFinished) -> None:
        """Add a request."""
        counters = self._counters.get(key)
        if counters is None:
            if len(self._counters) >= 2 * self._most:
                self._fold()
            counters = self._counters[key] = Counters(key, refused={})
        _add(counters, finished)

    def told(self, load: dict[str, tuple[int, int]], most: int) -> list[Counters]:
        """Copies, those with the most requests first; ``load`` has what runs and waits, by key."""
        for key in load:
            if key not in self._counters and len(self._counters) < 2 * self._most:
                self._counters[key] = Counters(key, refused={})
        ordered = sorted(self._counters.values(), key=_activity, reverse=True)[:most]
        told = []
        for counters in ordered:
            running, waiting = load.get(counters.key, (0, 0))
            told.append(
                msgspec.structs.replace(counters, refused=dict(counters.refused), running=running, waiting=waiting)
            )
        return told

    def _fold(self) -> None:
        others = self._counters.pop(OTHERS, None) or Counters(OTHERS, refused={})
        ordered = sorted(self._counters.values(), key=_activity, reverse=True)
        for counters in ordered[self._most :]:
            _merge(others, counters)
        self._counters = {counters.key: counters for counters in (*ordered[: self._most], others)}


@dataclass(slots=True)
class Spent:
    """What one request came to, filled in as it becomes known."""

    answered_by: str = ""
    server: str = ""
    cached: bool = False
    prompt_tokens: int = 0
    output_tokens: int = 0
    queue_us: int = 0
    generation_us: int = 0


@dataclass(slots=True)
class Usage:
    """Counts, and publishes `AIFinished`.

    Args:
        nc: a connection to NATS.
        broker: how this broker calls itself.
        scheduler: knows what runs and waits.
        budgets: know how much of them is used.
    """

    nc: Client
    broker: str
    scheduler: Scheduler
    budgets: Budgets
    _since: str = field(init=False)
    _models: Tally = field(default_factory=Tally)
    _plugins: Tally = field(default_factory=Tally)
    _callers: Tally = field(default_factory=Tally)

    def __post_init__(self) -> None:
        self._since = _now()

    async def finished(self, ticket: Ticket, spent: Spent, error: BaseException | None = None) -> None:
        """A request is over: answered, or refused or failed with this error."""
        event = AIFinished(
            operation=ticket.operation,
            model=ticket.model,
            time=_now(),
            plugin=ticket.plugin,
            caller=ticket.caller,
            execution_id=ticket.execution_id,
            answered_by=spent.answered_by,
            server=spent.server,
            success=error is None,
            error_code=None if error is None else _code(error),
            cached=spent.cached,
            prompt_characters=ticket.prompt_characters,
            prompt_tokens=spent.prompt_tokens,
            output_tokens=spent.output_tokens,
            queue_us=spent.queue_us,
            generation_us=spent.generation_us,
        )
        self._models.count(spent.answered_by or ticket.target, event)
        self._plugins.count(ticket.plugin, event)
        self._callers.count(ticket.caller, event)
        await self.nc.publish(subjects.ai_event(ticket.plugin), msgspec.json.encode(event))

    async def answer(self, msg: Msg) -> bytes:
        """Answer a request on `subjects.AI_USAGE`. Every broker does, so its endpoint has no queue group."""
        return msgspec.json.encode(await self.reply())

    async def reply(self) -> UsageReply:
        """All counts, and the budgets."""
        load = self.scheduler.load()
        return UsageReply(
            broker=self.broker,
            since=self._since,
            models=self._models.told(load.models, MOST_KEYS),
            plugins=self._plugins.told(load.plugins, MOST_TOLD),
            callers=self._callers.told(load.callers, MOST_TOLD),
            budgets=await self.budgets.states(),
        )


def _add(counters: Counters, finished: AIFinished) -> None:
    counters.requests += 1
    if finished.error_code is not None:
        counters.refused[finished.error_code] = counters.refused.get(finished.error_code, 0) + 1
    counters.cached += finished.cached
    # What came from the cache was counted when it was made.
    if not finished.cached:
        counters.prompt_tokens += finished.prompt_tokens
        counters.output_tokens += finished.output_tokens
    counters.queue_us += finished.queue_us
    counters.generation_us += finished.generation_us


def _merge(into: Counters, counters: Counters) -> None:
    refused: dict[str, int] = defaultdict(int, into.refused)
    for code, count in counters.refused.items():
        refused[code] += count
    into.refused = dict(refused)
    for name in ("requests", "cached", "prompt_tokens", "output_tokens", "queue_us", "generation_us"):
        setattr(into, name, getattr(into, name) + getattr(counters, name))


def _activity(counters: Counters) -> int:
    return counters.requests


def _code(error: BaseException) -> str:
    if isinstance(error, AIFailure):
        return str(error.code)
    return str(AIErrorCode.BROKEN_REPLY if isinstance(error, WasmForgeError) else AIErrorCode.CANCELLED)


def _now() -> str:
    seconds, milliseconds = divmod(time.time_ns() // 1_000_000, 1000)
    return f"{_second(seconds)}.{milliseconds:03}Z"


@lru_cache(maxsize=2)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
