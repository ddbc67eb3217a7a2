"""How full budgets are, read from where they are counted."""

import asyncio
from collections.abc import Iterable

import msgspec
import nats.errors
from nats.aio.client import Client

from broker.budgets.limits import Limit, Limits, Window
from broker.budgets.streams import stream_name
from schemas.ai import BudgetState

MOST_STATES = 200
_MOST_READ = 1_000
_READ_SECONDS = 1.0
_WINDOWS: tuple[Window, ...] = ("minute", "day")


class _Value(msgspec.Struct):
    val: str = "0"


async def read_states(nc: Client, limits: Limits, now: float) -> list[BudgetState]:
    """Budgets that an operator named, and those of others that something is used of; the fullest first.

    Those of executions are left out: there are many, and they are short-lived. Without JetStream nothing is used.
    """
    used: dict[str, int] = {}
    for window in _WINDOWS:
        used |= await _read(nc, window, limits.everything(window, now))
    found = {limit.subject: limit for limit in limits.named(now)}
    for subject in used:
        limit = limits.at(subject, now)
        if limit is not None:
            found[subject] = limit
    return list(_states(found.values(), used, now))[:MOST_STATES]


def _states(limits: Iterable[Limit], used: dict[str, int], now: float) -> list[BudgetState]:
    def fullness(limit: Limit) -> float:
        return used.get(limit.subject, 0) / max(1, limit.limit)

    return [
        BudgetState(
            scope=limit.scope,
            key=limit.key,
            what=limit.what,
            window=limit.window,
            used=max(0, used.get(limit.subject, 0)),
            limit=limit.limit,
            resets_in_ms=max(0, round(((limit.ends_at or now) - now) * 1000)),
        )
        for limit in sorted(limits, key=fullness, reverse=True)
    ]


async def _read(nc: Client, window: Window, subjects: str) -> dict[str, int]:
    """The counters whose subjects match, in one request (direct get of the last of many)."""
    found: dict[str, int] = {}
    inbox = nc.new_inbox()
    subscription = await nc.subscribe(inbox)
    try:
        async with asyncio.timeout(_READ_SECONDS):
            asked = msgspec.json.encode({"multi_last": [subjects], "batch": _MOST_READ})
            await nc.publish(f"$JS.API.DIRECT.GET.{stream_name(window)}", asked, reply=inbox)
            async for msg in subscription.messages:
                given = msg.headers or {}
                if "Status" in given:  # the end, or why there is nothing
                    break
                found[given.get("Nats-Subject", "")] = int(msgspec.json.decode(msg.data, type=_Value).val)
    except (TimeoutError, nats.errors.Error, msgspec.MsgspecError, ValueError):
        return found
    finally:
        if not nc.is_closed:
            await subscription.unsubscribe()
    return found
