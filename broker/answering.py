"""From a request that was found fit to an answer: which model, which server, whose turn, and what if that fails."""

import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from broker.backends.backend import Answer, Delta
from broker.fleet import Fleet
from broker.flights import Flight
from broker.scheduler import Scheduler
from broker.servers import ModelServer
from broker.ticket import Ticket
from broker.usage import Spent
from schemas.ai import ToolCall
from schemas.errors import AIErrorCode, AIFailure

T = TypeVar("T")

_ELSEWHERE = {
    AIErrorCode.UNAVAILABLE,
    AIErrorCode.BROKEN_REPLY,
    AIErrorCode.BUSY,
    AIErrorCode.MODEL_NOT_FOUND,
}
"""Failures of one server, which say nothing of what another would answer."""

CHARACTERS_A_TOKEN = 4
"""By which the tokens of an answer are estimated that nobody has counted."""

_NOT_THIS_MODEL = {AIErrorCode.UNAVAILABLE, AIErrorCode.NOT_SUPPORTED}
"""Reasons why nobody can be asked for a model, which say nothing of the next model."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, and which models of the servers may answer it, the preferred one first."""

    ticket: Ticket
    targets: Sequence[str]


@dataclass(frozen=True, slots=True)
class Spoken:
    """What a model said."""

    text: str
    tool_calls: tuple[ToolCall, ...] = ()
    cut: bool = False
    prompt_tokens: int = 0
    output_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """An answer, and how it came about."""

    value: T
    target: str
    """The model that answered."""
    server: str
    queue_us: int
    generation_us: int

    def spent(self, prompt_tokens: int, output_tokens: int) -> Spent:
        """What it came to."""
        return Spent(
            self.target,
            self.server,
            prompt_tokens=prompt_tokens,
            output_tokens=output_tokens,
            queue_us=self.queue_us,
            generation_us=self.generation_us,
        )


class Answering:
    """Asks the model servers."""

    def __init__(self, fleet: Fleet, scheduler: Scheduler) -> None:
        self._fleet = fleet
        self._scheduler = scheduler
        fleet.changed = scheduler.changed

    async def ask(
        self,
        asked: Asked,
        needs: Sequence[str],
        use: Callable[[ModelServer, str], Awaitable[T]],
        begun: Callable[[], bool],
    ) -> Outcome[T]:
        """Have the request answered by one of the models, by one server after the other until one can.

        Args:
            asked: the request.
            needs: what they have to be capable of.
            use: asks a server for its model of this name, while the request's turn lasts.
            begun: whether the reader has a part of the answer already; then no other server can give the rest.

        Raises:
            AIFailure: the last server's, or that none could be asked.
        """
        tried: set[tuple[str, str]] = set()
        queued = 0.0
        failure: AIFailure | None = None
        for target in self._fleet.choose(asked.targets):
            wanted = asked.ticket if target == asked.ticket.target else replace(asked.ticket, target=target)
            while True:
                arrived = time.perf_counter()
                try:
                    candidates = self._fleet.candidates(target, tried, needs)
                    if not candidates:
                        break
                    turn = self._scheduler.turn(wanted, candidates, ahead=bool(tried))
                    async with turn as server:
                        assert isinstance(server, ModelServer)
                        begins = time.perf_counter()
                        queued += begins - arrived
                        tried.add((server.url, target))

                        def movable(server: ModelServer = server, target: str = target) -> bool:
                            return not begun() and self._fleet.offers_elsewhere(target, server, tried)

                        value = await self._used(server, target, asked.ticket.plugin, use, movable)
                        return Outcome(
                            value, target, server.url, round(queued * 1e6), round((time.perf_counter() - begins) * 1e6)
                        )
                except _Moved as moved:
                    failure = moved.failure
                    if begun():
                        raise failure from None
                except AIFailure as refused:
                    if refused.code not in _NOT_THIS_MODEL:
                        raise
                    # None of the rest can be asked; what the last one said tells more than that.
                    failure = failure or refused
                    break
        assert failure is not None
        raise failure

    async def _used(
        self,
        server: ModelServer,
        target: str,
        plugin: str,
        use: Callable[[ModelServer, str], Awaitable[T]],
        movable: Callable[[], bool],
    ) -> T:
        try:
            with Flight(server.flights, server.url, movable):
                value = await use(server, server.own_name(target))
        except AIFailure as failure:
            server.failed(target, failure, plugin)
            if failure.code in _ELSEWHERE:
                raise _Moved(failure) from None
            raise
        server.succeeded(target)
        return value


class _Moved(Exception):
    """A server failed; another may be asked."""

    def __init__(self, failure: AIFailure) -> None:
        self.failure = failure


@dataclass(slots=True)
class Progress:
    """How far an answer has come, for those that end early."""

    begun: bool = False
    """Whether a server works on it."""
    prompt_tokens: int | None = None
    """None: nobody has said."""
    output_tokens: int = 0


async def spoken(answer: Answer, progress: Progress, on_text: Callable[[str], Awaitable[None]] | None = None) -> Spoken:
    """The whole of an answer; each piece of its text is handed on as it comes.

    Leaving this early closes the connection to the model server.
    """
    texts: list[str] = []
    calls: list[ToolCall] = []
    last = Delta()
    before = progress.output_tokens
    async with aclosing(answer):
        async for delta in answer:
            progress.output_tokens += delta.pieces
            if delta.text:
                texts.append(delta.text)
                if on_text is not None:
                    await on_text(delta.text)
            calls.extend(delta.tool_calls)
            if delta.done:
                last = delta
    text = "".join(texts)
    # Servers need not count; an answer for nothing would be one past every budget.
    output_tokens = last.output_tokens or max(progress.output_tokens - before - 1, -(-len(text) // CHARACTERS_A_TOKEN))
    progress.output_tokens = before + output_tokens
    progress.prompt_tokens = (progress.prompt_tokens or 0) + last.prompt_tokens
    return Spoken(text, tuple(calls), last.cut, last.prompt_tokens, output_tokens)
