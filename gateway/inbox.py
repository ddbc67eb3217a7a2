"""The one place where everything that this gateway asks over NATS is answered. One timer serves all deadlines."""

import asyncio
import logging
from typing import Protocol

import msgspec
import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from schemas import inbox, subjects
from schemas.errors import Busy, DeadlineExceeded, RuntimeFault, TooLarge, Unavailable, WasmForgeError
from schemas.messages import Cancel

log = logging.getLogger(__name__)

MAX_WAITING = 4096
"""Requests that may wait for an answer at once; beyond that the gateway is `Busy`."""

HEADER_ROOM_BYTES = 2048
"""NATS counts headers into ``max_payload``; ours are shorter than this."""

HEARTBEAT_MS = "1000"
"""How often whoever runs a call is asked for a sign of life (`schemas.headers.HEARTBEAT_MS`)."""

SILENCE_SECONDS = 5.0
"""Without a heartbeat for this long, whoever ran a call is gone."""

_SWEEP_SECONDS = 0.1
_STALL_SECONDS = 1.0


class Waiter(Protocol):
    """Someone who waits for replies to one inbox."""

    deadline: float
    """Loop time at which the wait ends."""
    heard: float
    """Loop time of the last sign of life; ``inf`` if none is expected."""
    runner: str
    """Who sends the signs of life, for the error if they stop."""

    def deliver(self, msg: Msg) -> None:
        """A reply is there. Must not raise."""

    def fail(self, error: WasmForgeError) -> None:
        """No reply will come. Must not raise."""


class Inbox(inbox.Inbox[Waiter]):
    """Sends requests and hands out their replies. ``attach`` it to a connection first."""

    def __init__(self) -> None:
        super().__init__()
        self._timer: asyncio.TimerHandle | None = None
        self._sweep_due = 0.0

    def connection(self) -> Client:
        """The connection, if it is up.

        Raises:
            Unavailable: it is not; nothing is ever left in the library's buffer to be sent later.
        """
        client = self._client
        if client is None or not client.is_connected:
            raise Unavailable("NATS is away: the gateway is not connected to its message broker, try again shortly")
        return client

    def payload_limit(self) -> int:
        """Bytes that a request's body may have.

        Raises:
            Unavailable: not connected.
        """
        return self.connection().max_payload - HEADER_ROOM_BYTES

    async def send(self, waiter: Waiter, subject: str, body: bytes, headers: dict[str, str] | None = None) -> str:
        """Send a request whose replies go to ``waiter`` until `forget` is called with the returned inbox.

        Raises:
            Unavailable, Busy, TooLarge: it was not sent.
        """
        client = self.connection()
        if len(self._waiting) >= MAX_WAITING:
            raise Busy(f"{MAX_WAITING:,} requests wait at this gateway already, try again")
        if len(body) > client.max_payload - HEADER_ROOM_BYTES:
            raise TooLarge("The message", size_bytes=len(body), limit_bytes=client.max_payload - HEADER_ROOM_BYTES)
        reply_to = self.open(waiter)
        if self._timer is None:
            self._arm()
        try:
            await client.publish(subject, body, reply_to, headers)
        except nats.errors.Error as error:
            self.forget(reply_to)
            log.warning("a request could not be sent: %s", error or type(error).__name__)
            raise Unavailable("NATS does not take messages now, try again shortly") from error
        except BaseException:
            self.forget(reply_to)
            raise
        return reply_to

    async def give_up(self, reply_to: str, subject: str = subjects.CALL_CANCEL) -> None:
        """Tell the executors, or the brokers on `subjects.AI_CANCEL`, that nobody wants this answer any more."""
        client = self._client
        if client is None or not client.is_connected:
            return  # whoever finds no reader for its replies ends the work by itself
        try:
            await client.publish(subject, msgspec.json.encode(Cancel(reply_to)))
        except nats.errors.Error as error:
            log.warning("a request could not be cancelled: %s", error or type(error).__name__)

    def fail_all(self, why: str) -> None:
        """End every wait with `Unavailable`."""
        for waiter in list(self._waiting.values()):
            waiter.fail(Unavailable(why))

    def close(self) -> None:
        """End every wait; the inbox can't be used any more."""
        self._client = None
        self.fail_all("this gateway is being stopped, try again")
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _arm(self) -> None:
        loop = asyncio.get_running_loop()
        self._sweep_due = loop.time() + _SWEEP_SECONDS
        self._timer = loop.call_at(self._sweep_due, self._sweep)

    def _sweep(self) -> None:
        now = asyncio.get_running_loop().time()
        late = now - self._sweep_due
        if late > _STALL_SECONDS:
            # This process itself stood still (a suspended machine, a debugger): answers may lie unread in the socket,
            # so nobody else is to blame for the silence.
            for waiter in self._waiting.values():
                waiter.heard += late
        else:
            for waiter in list(self._waiting.values()):
                if now >= waiter.deadline:
                    waiter.fail(DeadlineExceeded("the time is up and no answer came"))
                elif now - waiter.heard > SILENCE_SECONDS:
                    silent = f"no sign of life for {SILENCE_SECONDS:g} seconds"
                    waiter.fail(RuntimeFault(f"{waiter.runner} is gone: {silent}"))
        self._timer = None
        if self._waiting:
            self._arm()
