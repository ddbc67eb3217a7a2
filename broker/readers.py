"""Those who read answers: what they are sent while they wait, and how it is noticed that they wait no more.

Everything that is sent before the last message carries a reply subject: where nobody listens on an inbox, NATS itself
says so there. Whoever goes with a word says it on `subjects.AI_CANCEL`.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

import msgspec
import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from schemas import headers, subjects
from schemas.errors import AIErrorCode, AIFailure, WasmForgeError
from schemas.messages import Cancel

log = logging.getLogger("broker")

MIN_HEARTBEAT_MS = 100
MAX_HEARTBEAT_MS = 60_000
REMEMBERED_CANCELS = 1024
"""A request that comes after it was cancelled is not begun; of so many that is known."""

LAST_WORD_SECONDS = 5.0
"""For so long the end of a stream that NATS interrupted is said again while nobody hears it."""

_AGAIN_SECONDS = 0.1
_NOBODY = "503"
_BEAT = "h"
"""Ends the reply subject of a heartbeat."""


class Reader:
    """Whoever waits for one answer. Made by `Readers.reading`."""

    def __init__(self, nc: Client, msg: Msg, probe: str) -> None:
        self._nc = nc
        self._probe = probe
        self._inbox = msg.reply
        given = msg.headers or {}
        self.streaming = given.get(headers.STREAM) == "1" and bool(msg.reply)
        """Whether the answer is wanted piece by piece."""
        self.begun = False
        """Whether a piece of the answer has been sent: then no other server can give it."""
        self.closed = False
        """Whether the answer is complete or has failed, so that there is nothing left to give up."""
        self._heard = asyncio.Event()
        self._why: AIFailure | None = None
        self._task = asyncio.current_task()
        self._cancelling = self._task.cancelling() if self._task else 0
        self._interrupted = False
        self._unheard = 0

    @property
    def why(self) -> AIFailure | None:
        """Why the request was given up, if it was."""
        return self._why

    async def piece(self, text: str) -> None:
        """Send a piece of the answer."""
        if text:
            self.begun = True
            await self._nc.publish(
                self._inbox, text.encode(), self._probe, headers={headers.EVENT: headers.EVENT_OUTPUT}
            )

    async def final(self, body: bytes) -> None:
        """Send the last message of a stream."""
        await self._nc.publish(self._inbox, body, headers={headers.FINAL: "1"})

    async def failed(self, error: WasmForgeError) -> None:
        """Send an error as the last message. Where NATS was away meanwhile, until it is heard."""
        last = {headers.FINAL: "1"} if self.streaming else {}
        headers.put_error(last, error)
        if not self._interrupted:
            await self._nc.publish(self._inbox, error.message.encode(), headers=last)
            return
        with suppress(TimeoutError, nats.errors.Error):
            async with asyncio.timeout(LAST_WORD_SECONDS):
                while True:
                    # The reader may come back later than we do; NATS says so for every message that nobody gets.
                    if self._nc.is_connected:
                        self._heard.set()
                        await self._nc.publish(self._inbox, error.message.encode(), self._probe, headers=last)
                        await self._nc.flush()
                        await asyncio.sleep(_AGAIN_SECONDS)
                        if self._heard.is_set():
                            return
                    await asyncio.sleep(_AGAIN_SECONDS)

    async def beat(self, interval_ms: int) -> None:
        """Send heartbeats for ever."""
        before = 0
        while True:
            await asyncio.sleep(interval_ms / 1000)
            if self._unheard == before:
                self._unheard = 0
            before = self._unheard
            if self._nc.is_connected:
                with suppress(nats.errors.Error):
                    given = {headers.EVENT: headers.EVENT_HEARTBEAT}
                    await self._nc.publish(self._inbox, b"", self._probe + _BEAT, headers=given)

    def unheard(self, beat: bool) -> None:
        """Nobody got the last message. A lost heartbeat harms nothing, so it takes two: readers may come back."""
        self._unheard += 1
        if not beat or self._unheard > 1:
            self.give_up(AIFailure("nobody reads the answer any more", AIErrorCode.CANCELLED))

    def give_up(self, why: AIFailure) -> None:
        """End the request from outside."""
        self._heard.clear()
        if self._why is None and self._task is not None and not self.closed:
            self._why = why
            self._task.cancel()

    def interrupt(self) -> None:
        """The connection to NATS is lost: pieces may be, too."""
        if self.streaming and self.begun:
            self._interrupted = True
            self.give_up(
                AIFailure("the connection to NATS was lost in the middle of the stream", AIErrorCode.UNAVAILABLE)
            )

    def was_given_up(self) -> bool:
        """Whether a cancellation that has just been caught was ours alone; it is then over."""
        return self._why is not None and self._task is not None and self._task.uncancel() <= self._cancelling


class Readers:
    """All who wait now. Between `start` and `stop` it is heard who goes."""

    def __init__(self, nc: Client) -> None:
        self._nc = nc
        self._probes = nc.new_inbox()
        self._by_inbox: dict[str, Reader] = {}
        self._by_token: dict[str, Reader] = {}
        self._cancelled: OrderedDict[str, None] = OrderedDict()
        self._count = 0
        self._subscriptions: list[Subscription] = []

    async def start(self) -> None:
        """Begin to listen for those who go."""
        self._subscriptions = [
            await self._nc.subscribe(f"{self._probes}.*", cb=self._on_probe),
            await self._nc.subscribe(subjects.AI_CANCEL, cb=self._on_cancel),
        ]
        await self._nc.flush()

    async def stop(self) -> None:
        """Listen no more."""
        for subscription in self._subscriptions:
            with suppress(nats.errors.Error):
                await subscription.unsubscribe()

    def interrupt(self) -> None:
        """The connection to NATS is lost."""
        for reader in list(self._by_inbox.values()):
            reader.interrupt()

    @asynccontextmanager
    async def reading(self, msg: Msg) -> AsyncIterator[Reader]:
        """The reader of one request, which is served within the block by the current task.

        Where a stream is asked for, a failure is told the reader and goes no further.

        Raises:
            WasmForgeError: the block's own, or `AIFailure` because the request was given up: the block was cancelled.
        """
        if msg.reply in self._cancelled:
            raise _cancelled()
        self._count += 1
        token = str(self._count)
        reader = self._by_token[token] = Reader(self._nc, msg, f"{self._probes}.{token}")
        interval_ms = _heartbeat_ms(msg.headers or {}) if msg.reply else None
        beating = asyncio.create_task(reader.beat(interval_ms)) if interval_ms else None
        if msg.reply:
            self._by_inbox[msg.reply] = reader
        try:
            try:
                yield reader
            except asyncio.CancelledError:
                if reader.why is not None and reader.was_given_up():
                    raise reader.why from None
                if msg.reply and not self._nc.is_closed:
                    await reader.failed(AIFailure("the broker stops, try again", AIErrorCode.UNAVAILABLE))
                raise
            finally:
                reader.closed = True
                if beating is not None:
                    beating.cancel()
        except WasmForgeError as error:
            if not reader.streaming:
                raise
            await reader.failed(error)
        finally:
            del self._by_token[token]
            if self._by_inbox.get(msg.reply) is reader:
                del self._by_inbox[msg.reply]

    async def _on_probe(self, msg: Msg) -> None:
        if (msg.headers or {}).get("Status") == _NOBODY:
            token = msg.subject.rpartition(".")[2]
            reader = self._by_token.get(token.removesuffix(_BEAT))
            if reader is not None:
                reader.unheard(token.endswith(_BEAT))

    async def _on_cancel(self, msg: Msg) -> None:
        try:
            inbox = msgspec.json.decode(msg.data, type=Cancel).reply_to
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return
        reader = self._by_inbox.get(inbox)
        if reader is not None:
            reader.give_up(_cancelled())
        elif subjects.is_inbox(inbox) and len(inbox) < 256:
            self._cancelled[inbox] = None
            if len(self._cancelled) > REMEMBERED_CANCELS:
                self._cancelled.popitem(last=False)


def _cancelled() -> AIFailure:
    return AIFailure("the request was cancelled", AIErrorCode.CANCELLED)


def _heartbeat_ms(given: Mapping[str, str]) -> int | None:
    text = given.get(headers.HEARTBEAT_MS, "")
    if not (text.isascii() and text.isdecimal()) or len(text) > 15:
        return None
    return min(MAX_HEARTBEAT_MS, max(MIN_HEARTBEAT_MS, int(text)))
