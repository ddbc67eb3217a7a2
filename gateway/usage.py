"""What models were used for: the counts of all brokers, put together."""

import asyncio

import msgspec
from nats.aio.msg import Msg

from gateway.inbox import Inbox
from schemas import headers, subjects
from schemas.ai import Counters, UsageReply
from schemas.errors import WasmForgeError
from schemas.http import Usage
from schemas.inbox import is_nobody

_WAIT_SECONDS = 0.3
"""For so long answers are collected: how many brokers there are nobody knows."""
_MAX_BROKERS = 100
_MAX_KEYS = 100


class _Collected:
    """Waits for as many replies as come."""

    def __init__(self) -> None:
        self.deadline = asyncio.get_running_loop().time() + 2 * _WAIT_SECONDS
        self.heard = float("inf")
        self.replies: list[UsageReply] = []
        self.over = asyncio.Event()

    def deliver(self, msg: Msg) -> None:
        if is_nobody(msg):
            self.over.set()
        if headers.get_error(msg.headers, msg.data) is not None or len(self.replies) >= _MAX_BROKERS:
            return
        try:
            self.replies.append(msgspec.json.decode(msg.data, type=UsageReply))
        except msgspec.MsgspecError:
            return

    def fail(self, error: WasmForgeError) -> None:
        self.over.set()


async def usage(inbox: Inbox) -> Usage:
    """Ask every broker.

    Raises:
        Unavailable: NATS is away. That no broker answers is no error: there is nothing to count then.
    """
    collected = _Collected()
    reply_to = await inbox.send(collected, subjects.AI_USAGE, b"")
    try:
        async with asyncio.timeout(_WAIT_SECONDS):
            await collected.over.wait()
    except TimeoutError:
        pass
    finally:
        inbox.forget(reply_to)
    replies = collected.replies
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
