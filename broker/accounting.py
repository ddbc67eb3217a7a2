"""One request on the books: from the cache if it may, within its budgets if not, and counted whatever comes of it."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import msgspec
import nats.errors

from broker.budgets import Budgets, Reservation
from broker.budgets.budgets import UNBOUNDED_OUTPUT_TOKENS
from broker.cache import Cache, Kept, key_of
from broker.options import most_output_tokens as most_output_tokens_of
from broker.ticket import Ticket
from broker.usage import Spent, Usage
from schemas.ai import ChatRequest, GenerateRequest
from schemas.errors import AIErrorCode, AIFailure

T = TypeVar("T")
Request = TypeVar("Request", GenerateRequest, ChatRequest)


@dataclass(frozen=True, slots=True)
class Accounting:
    """Cache, budgets and counts, in the order in which a request meets them."""

    cache: Cache
    budgets: Budgets
    usage: Usage

    async def booked(
        self,
        ticket: Ticket,
        request: msgspec.Struct,
        ask: Callable[[Reservation], Awaitable[T]],
        spent: Callable[[T], Spent],
    ) -> Kept[T]:
        """Have a request answered by ``ask`` unless an equal one's answer will do.

        Args:
            ticket: the request as the policy sees it.
            request: the request itself, which tells equal ones.
            ask: has it answered; the reservation says how long the answer may be, see `bounded`. Where it fails after
                a model server has worked on it, it tells the reservation: ``begun``, ``used``.
            spent: what an answer came to.

        Raises:
            AIFailure: a budget is used up or can't be counted; the deadline has come; or whatever ``ask`` raises.
        """

        shortened = False

        async def work() -> T:
            nonlocal shortened
            if not self.budgets.limits:
                return await ask(Reservation())
            async with self.budgets.reserved(ticket) as reservation:
                value = await ask(reservation)
                came_to = spent(value)
                reservation.used(came_to.prompt_tokens or None, came_to.output_tokens)  # 0: the server did not count
                most = reservation.most_output_tokens
                if most is not None and came_to.output_tokens >= most:
                    shortened = reservation.shortened or most < (ticket.most_output_tokens or UNBOUNDED_OUTPUT_TOKENS)
                return value

        def size_bytes(value: T) -> int | None:
            # What a budget has cut short will not do for somebody who has more left.
            return None if shortened else _size_bytes(value)

        came_to, error = Spent(), None
        try:
            try:
                async with asyncio.timeout_at(ticket.deadline):
                    if ticket.cache:
                        kept = await self.cache.answer(key_of(ticket, request), work, size_bytes)
                    else:
                        kept = Kept(await work(), cached=False)
            except TimeoutError:
                raise AIFailure(
                    f"model {ticket.model[:80]} did not answer within {ticket.seconds:.3g} s", AIErrorCode.TIMEOUT
                ) from None
            came_to = spent(kept.value)
            if kept.cached:
                came_to = replace(came_to, cached=True, queue_us=0, generation_us=0)
        except BaseException as caught:
            error = caught
            raise
        else:
            return kept
        finally:
            with suppress(nats.errors.Error):
                await self.usage.finished(ticket, came_to, error)


def bounded(request: Request, most_output_tokens: int | None) -> Request:
    """The request with a bound of its answer that its budgets allow; None: it stays as it is."""
    if most_output_tokens is None:
        return request
    own = most_output_tokens_of(request.options)
    most = most_output_tokens if own is None else min(own, most_output_tokens)
    return msgspec.structs.replace(request, options=(request.options or {}) | {"num_predict": most})


def _size_bytes(value: Any) -> int:
    return len(msgspec.json.encode(value))
