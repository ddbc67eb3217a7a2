"""What a request may cost is reserved before it costs anything, and settled when it is known.

Calls and characters are known before and exact. Of output tokens as many are reserved as the answer may have at most,
and the answer is bounded by that, so they are never passed either; what was not used is given back. Tokens of prompts
only the model server can count: they are estimated, and corrected afterwards, so that requests which run at once can
pass that one limit by what was misjudged. A reservation belongs to the minute and day in which it was made: whatever
becomes of its broker, it is over with them.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from nats.aio.client import Client

from broker.budgets.counters import Counters, Taken, Wish
from broker.budgets.limits import Limit, Limits
from broker.budgets.states import read_states
from broker.budgets.streams import StreamsAway
from broker.ticket import Ticket
from schemas.ai import BudgetState
from schemas.errors import AIErrorCode, AIFailure

log = logging.getLogger("broker")

UNBOUNDED_OUTPUT_TOKENS = 4_096
"""Reserved for an answer that nothing bounds."""

LEAST_OUTPUT_TOKENS = 256
"""An answer may be shortened to what is left of a budget, but not to less than this: then it is refused."""

CHARACTERS_A_TOKEN = 3
"""By which the tokens of a prompt are estimated."""

_AWAY_RETRY_MS = 1_000
_STATES_SECONDS = 1.0


@dataclass(slots=True)
class Reservation:
    """What a request has reserved. Says how long its answer may be, and is told what it really used."""

    most_output_tokens: int | None = None
    """The answer may have so many tokens, no more; None: no budget says so."""
    _held: list[tuple[Limit, int]] = field(default_factory=list)
    _begun: bool = False
    _prompt_tokens: int | None = None
    _output_tokens: int = 0
    shortened: bool = False
    """Whether a part of that was used by an answer that came to nothing."""

    def left(self, output_tokens: int) -> int | None:
        """How many tokens more the answer may have after so many, which may be none; None: no budget says so."""
        return None if self.most_output_tokens is None else self.most_output_tokens - output_tokens

    def begun(self) -> None:
        """From now on it costs something: its call and its characters are used, whatever comes."""
        self._begun = True

    def used(self, prompt_tokens: int | None, output_tokens: int) -> None:
        """So many tokens it has used, so far; None: not known, the estimate stands."""
        self._begun = True
        self._prompt_tokens = prompt_tokens
        self._output_tokens = output_tokens

    def rest(self) -> list[tuple[str, int]]:
        """What is to be given back, by counter; negative: it was more."""
        return [(limit.subject, amount - self._cost(limit, amount)) for limit, amount in self._held]

    def _cost(self, limit: Limit, amount: int) -> int:
        if not self._begun:
            return 0
        if limit.what == "output_tokens":
            return self._output_tokens
        if limit.what == "prompt_tokens" and self._prompt_tokens is not None:
            return self._prompt_tokens
        return amount


class Budgets:
    """Reserves.

    Args:
        nc: a connection to NATS.
        limits: the budgets.
        counters: where they are counted.
        clock: seconds since 1970.
    """

    def __init__(self, nc: Client, limits: Limits, counters: Counters, clock: Callable[[], float] = time.time) -> None:
        self._nc = nc
        self.limits = limits
        self._counters = counters
        self._reading = asyncio.Lock()
        self._states: list[BudgetState] = []
        self._read_at = 0.0
        self._clock = clock
        self._away = ""

    async def check(self) -> None:
        """Say in the log whether they can be counted, if there are any."""
        if self.limits:
            try:
                await self._counters.prepare()
            except StreamsAway as error:
                self._cannot_count(str(error))

    @asynccontextmanager
    async def reserved(self, ticket: Ticket) -> AsyncIterator[Reservation]:
        """Hold what the request may cost for the length of the block, and settle at its end.

        Raises:
            AIFailure: ``budget_exceeded``, says which and when it frees up; ``unavailable``, budgets can't be counted:
                then nothing that has one is let through.
        """
        reservation = await self._reserve(ticket)
        try:
            yield reservation
        finally:
            for subject, amount in reservation.rest():
                self._counters.give_back(subject, amount)

    async def states(self) -> list[BudgetState]:
        """How much is used of those that an operator named, and of those that are being used; the fullest first."""
        if not self.limits:
            return []
        async with self._reading:
            if self._clock() - self._read_at >= _STATES_SECONDS:
                self._states = await read_states(self._nc, self.limits, self._clock())
                self._read_at = self._clock()
        return self._states

    async def _reserve(self, ticket: Ticket) -> Reservation:
        limits = self.limits.of(ticket, self._clock())
        wishes = [(limit, wish) for limit in limits if (wish := _wish(limit, ticket)) is not None]
        if not wishes:
            return Reservation()
        try:
            async with asyncio.timeout_at(ticket.deadline):
                taken = await self._counters.take([wish for _, wish in wishes])
        except StreamsAway as error:
            raise self._cannot_count(str(error)) from None
        except TimeoutError:
            raise AIFailure("the time was up before the budgets were counted", AIErrorCode.TIMEOUT) from None
        if self._away:
            self._away = ""
            log.info("budgets: they are counted again")
        pairs = [(limit, found) for (limit, _), found in zip(wishes, taken, strict=True)]
        refused = [
            (limit, found, wish) for (limit, wish), found in zip(wishes, taken, strict=True) if not found.granted
        ]
        if refused:
            for limit, found in pairs:
                self._counters.give_back(limit.subject, found.granted)
            raise self._exceeded(refused)
        return self._bounded(pairs)

    def _bounded(self, pairs: list[tuple[Limit, Taken]]) -> Reservation:
        """All output budgets hold the same: the answer is as long as the least of them allows."""
        outputs = [found.granted for limit, found in pairs if limit.what == "output_tokens"]
        most = min(outputs, default=None)
        held = []
        for limit, found in pairs:
            amount = found.granted
            if most is not None and limit.what == "output_tokens" and amount > most:
                self._counters.give_back(limit.subject, amount - most)
                amount = most
            held.append((limit, amount))
        return Reservation(most, held)

    def _exceeded(self, refused: list[tuple[Limit, Taken, Wish]]) -> AIFailure:
        # The one that frees up last is what its caller has to wait for.
        limit, found, wish = max(refused, key=lambda each: each[0].ends_at or float("inf"))
        whose = {"global": "everybody together", "execution": "this execution"}.get(
            limit.scope, f"{limit.scope} {limit.key or '(without a name)'}"
        )
        span = "" if limit.window == "execution" else f" a {limit.window}"
        what = limit.what.replace("_", " ")
        used = min(found.used, limit.limit)
        text = f"{whose} has used {used:,} of {limit.limit:,} {what}{span}"
        if used < limit.limit:
            text += f", this request needs {wish.at_least:,}"
        if limit.ends_at is None:
            return AIFailure(f"{text}; that is all it gets", AIErrorCode.BUDGET_EXCEEDED)
        wait_ms = max(1, round((limit.ends_at - self._clock()) * 1000))
        if wish.at_least > limit.limit:
            return AIFailure(f"{text}, which is never free", AIErrorCode.BUDGET_EXCEEDED)
        return AIFailure(
            f"{text}; it frees up in {wait_ms / 1000:.3g} s", AIErrorCode.BUDGET_EXCEEDED, retry_after_ms=wait_ms
        )

    def _cannot_count(self, why: str) -> AIFailure:
        if why != self._away:
            log.error("budgets: they can't be counted, requests that have one are refused: %s", why)
            self._away = why
        return AIFailure(
            f"budgets can't be counted, so nothing is let through: {why}",
            AIErrorCode.UNAVAILABLE,
            retry_after_ms=_AWAY_RETRY_MS,
        )


def _wish(limit: Limit, ticket: Ticket) -> Wish | None:
    amount = at_least = 1
    if limit.what == "prompt_characters":
        amount = at_least = ticket.prompt_characters
    elif limit.what == "prompt_tokens":
        amount = at_least = -(-ticket.prompt_characters // CHARACTERS_A_TOKEN)
    elif limit.what == "output_tokens":
        bound = UNBOUNDED_OUTPUT_TOKENS if ticket.most_output_tokens is None else ticket.most_output_tokens
        amount = 0 if ticket.operation == "embed" else bound
        at_least = min(amount, LEAST_OUTPUT_TOKENS, max(1, limit.limit))
    return Wish(limit.subject, amount, at_least, limit.limit) if amount > 0 else None
