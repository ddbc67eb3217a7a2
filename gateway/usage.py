"""What models were used for: the counts of all brokers, put together."""

import msgspec
from nats.aio.msg import Msg

from gateway.asking import ask_all
from gateway.inbox import Inbox
from schemas import headers, subjects
from schemas.ai import Counters, UsageReply
from schemas.http import Usage

_WAIT_SECONDS = 0.3
"""For so long answers are collected: how many brokers there are nobody knows."""
_MAX_BROKERS = 100
_MAX_KEYS = 100


async def usage(inbox: Inbox) -> Usage:
    """Ask every broker.

    Raises:
        Unavailable: NATS is away. That no broker answers is no error: there is nothing to count then.
    """
    answers = await ask_all(
        inbox, subjects.AI_USAGE, all_seconds=_WAIT_SECONDS, quiet_seconds=_WAIT_SECONDS, most=_MAX_BROKERS
    )
    replies = [reply for msg in answers if (reply := _reply(msg)) is not None]
    newest = max(replies, key=lambda reply: sum(state.used for state in reply.budgets), default=None)
    return Usage(
        brokers=len(replies),
        since=min((reply.since for reply in replies), default=""),
        models=_together([reply.models for reply in replies]),
        plugins=_together([reply.plugins for reply in replies]),
        callers=_together([reply.callers for reply in replies]),
        # Budgets are shared by all brokers; whose answer shows more has looked later.
        budgets=newest.budgets if newest is not None else [],
    )


def _reply(msg: Msg) -> UsageReply | None:
    if headers.get_error(msg.headers, msg.data) is not None:
        return None
    try:
        return msgspec.json.decode(msg.data, type=UsageReply)
    except msgspec.MsgspecError:
        return None


def _together(parts: list[list[Counters]]) -> list[Counters]:
    """Sums by key, those with the most requests first."""
    sums: dict[str, Counters] = {}
    for part in parts:
        for counters in part:
            total = sums.setdefault(counters.key, Counters(counters.key))
            for name in Counters.__struct_fields__:
                if name == "refused":
                    for code, number in counters.refused.items():
                        total.refused[code] = total.refused.get(code, 0) + number
                elif name != "key":
                    setattr(total, name, getattr(total, name) + getattr(counters, name))
    return sorted(sums.values(), key=lambda total: (-total.requests, total.key))[:_MAX_KEYS]
