"""Where replies arrive: one wildcard subscription for all that a process asks, and a dict of who waits.

A request costs one message out and one in, and no subscription of its own; and its inbox, which names it to whoever
answers, is known from the start, so that it can be cancelled (`schemas.messages.Cancel`).
"""

import asyncio
import contextlib
import logging
from typing import Generic, Protocol, TypeVar

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

log = logging.getLogger(__name__)

PAUSES_SECONDS = (0.02, 0.1)
"""When a request that nobody got is sent again. Of a queue group that a member is just leaving NATS may say "no
responders" although others are there (measured: 5 % of requests in that moment); as nobody got it, it is safe."""

_STATUS = "Status"
_NO_RESPONDERS = "503"
_MAX_TELLING = 256
"""Words that may be on their way at once; who is not told sends again."""


class Receiver(Protocol):
    """Someone who waits for messages to one inbox."""

    def deliver(self, msg: Msg) -> None:
        """A message is there. Must not raise."""


Waiting = TypeVar("Waiting", bound=Receiver)


class _Direct(asyncio.Future[Msg]):
    """Hands a subscription's messages straight to `Inbox`, without the library's queue and task for each.

    The library gives a message to a subscription's future by ``set_result``; this one is never done.
    """

    def __init__(self, inbox: "Inbox[Waiting]") -> None:
        super().__init__()
        self._deliver = inbox.deliver

    def set_result(self, result: Msg) -> None:
        try:
            self._deliver(result)
        except Exception:
            # Raised from here it would end the connection's reader.
            log.exception("a reply on %s could not be read", result.subject)


class Inbox(Generic[Waiting]):
    """Hands out what arrives. ``attach`` it to a connection first."""

    def __init__(self) -> None:
        self._client: Client | None = None
        self._prefix = ""
        self._next = 0
        self._waiting: dict[str, Waiting] = {}
        self._telling: set[asyncio.Task[None]] = set()

    @property
    def waiting(self) -> int:
        """How many inboxes are open."""
        return len(self._waiting)

    async def attach(self, client: Client) -> None:
        """Use this connection from now on; the library restores the subscription each time it reconnects."""
        prefix = client.new_inbox() + "."
        await client.subscribe(prefix + "*", future=_Direct(self))
        self._client, self._prefix = client, prefix

    def open(self, receiver: Waiting) -> str:
        """An inbox whose messages go to ``receiver`` until `forget`."""
        self._next += 1
        inbox = f"{self._prefix}{self._next:x}"
        self._waiting[inbox] = receiver
        return inbox

    def forget(self, inbox: str) -> None:
        """Nobody waits at this inbox any more; what still comes is dropped, and a sender that wants to know is told."""
        self._waiting.pop(inbox, None)

    def deliver(self, msg: Msg) -> None:
        """Give a message to the one who waits for it."""
        receiver = self._waiting.get(msg.subject)
        if receiver is not None:
            receiver.deliver(msg)
        elif msg.reply and len(self._telling) < _MAX_TELLING:
            # NATS sees somebody who listens; that nobody waits, after a lost connection perhaps, is known only here.
            task = asyncio.create_task(self._say_nobody(msg.reply))
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)

    async def _say_nobody(self, subject: str) -> None:
        if self._client is not None and self._client.is_connected:
            with contextlib.suppress(nats.errors.Error):
                await self._client.publish(subject, b"", headers={_STATUS: _NO_RESPONDERS})


def is_nobody(msg: Msg) -> bool:
    """Whether NATS, or the `Inbox` it was sent to, says that nobody got what this is the answer to."""
    return not msg.data and msg.headers is not None and msg.headers.get(_STATUS) == _NO_RESPONDERS
