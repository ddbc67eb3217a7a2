"""Requests of an executor to brokers: each has an inbox of its own, so that what nobody waits for any more ends there.

A request ends in one of three ways: its last reply comes, it fails, or whoever made it leaves, and then the broker is
told (`schemas.subjects.AI_CANCEL`) and frees what the request holds.
"""

import asyncio
import codecs
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

import msgspec
import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from schemas import headers, subjects
from schemas.errors import AIErrorCode, AIFailure
from schemas.inbox import PAUSES_SECONDS, Inbox, Receiver, is_nobody
from schemas.messages import Cancel

MAX_WAITING = 16_384
"""Requests that may wait for a broker at once."""
MAX_UNREAD_BYTES = 256 * 1024
"""Text that a stream may hold for a plugin that does not read; what passes it is cut off."""
SILENCE_SECONDS = 10.0
"""A broker that gives no sign of life for this long is gone; it was asked for one every second."""

_SECOND_LOOK_SECONDS = 0.05
_HEARTBEAT_MS = "1000"
_HEADER_ROOM_BYTES = 2048


class Question:
    """One request that waits for its replies."""

    def __init__(self) -> None:
        self.last: Msg | None = None
        """The last reply, also if that says that nobody got the request."""
        self._failure: AIFailure | None = None
        self._text = bytearray()
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._heard = asyncio.get_running_loop().time()
        self._changed = asyncio.Event()

    @property
    def ended(self) -> bool:
        """Whether the broker has nothing more to do."""
        return self.last is not None

    @property
    def ready(self) -> bool:
        """Whether there is something to be had without waiting."""
        return self._changed.is_set()

    def deliver(self, msg: Msg) -> None:
        """A reply, a piece of one, or a heartbeat."""
        event = (msg.headers or {}).get(headers.EVENT) if headers.FINAL not in (msg.headers or {}) else None
        self._heard = asyncio.get_running_loop().time()
        if event == headers.EVENT_HEARTBEAT:
            return
        if event is None:
            self.last = self.last or msg
        elif self._failure is None:
            self._text += msg.data
            if len(self._text) > MAX_UNREAD_BYTES:
                self.fail(
                    AIFailure(
                        f"the stream was cut off: over {MAX_UNREAD_BYTES:,} bytes of it were not read; "
                        "read a stream as it comes, or close it",
                        AIErrorCode.CANCELLED,
                    )
                )
        self._changed.set()

    def fail(self, failure: AIFailure) -> None:
        """No more replies will come."""
        if self._failure is None and self.last is None:
            self._failure = failure
            self._text.clear()
            self._changed.set()

    def take_text(self) -> str:
        """All text that has come since the last time.

        Raises:
            AIFailure: the request failed, and all text before that is taken.
        """
        if self._failure is not None:
            raise self._failure
        if not self.ended:
            self._changed.clear()
        text = self._decoder.decode(bytes(self._text), final=self.ended)
        self._text.clear()
        return text

    async def wait(self, deadline: float) -> None:
        """Wait for text or the end.

        Raises:
            AIFailure: none came until ``deadline`` (loop time), or the broker is gone.
        """
        loop = asyncio.get_running_loop()
        while not self._changed.is_set():
            try:
                async with asyncio.timeout_at(min(deadline, self._heard + SILENCE_SECONDS)):
                    await self._changed.wait()
            except TimeoutError:
                if loop.time() >= deadline:
                    raise AIFailure("the AI broker did not answer in time", AIErrorCode.TIMEOUT) from None
                # It is this process itself that may have stood still: what came meanwhile is read first.
                await asyncio.sleep(_SECOND_LOOK_SECONDS)
                if loop.time() >= self._heard + SILENCE_SECONDS:
                    text = f"the AI broker is gone: no sign of life for {SILENCE_SECONDS:g} seconds"
                    raise AIFailure(text, AIErrorCode.UNAVAILABLE) from None


class Asking(Protocol):
    """How brokers are asked; `Broker` does it over NATS."""

    async def ask(self, subject: str, body: bytes, given: dict[str, str], deadline: float) -> bytes:
        """A request that is answered at once.

        Raises:
            AIFailure: or any other error that the broker answered with.
        """

    async def open(self, question: Question, subject: str, body: bytes, given: dict[str, str], deadline: float) -> str:
        """Send a request whose replies go to ``question``; returns its name for `close`.

        Raises:
            AIFailure: it was not sent.
        """

    async def close(self, name: str, question: Question) -> None:
        """The end of a request; one that has no last reply yet is cancelled."""


class Broker:
    """All brokers, as one executor asks them."""

    def __init__(self, nc: Client, inbox: Inbox[Receiver]) -> None:
        self._nc = nc
        self._inbox = inbox
        self._open: dict[str, Question] = {}

    def lost(self) -> None:
        """The connection broke: what was on its way is lost."""
        for question in list(self._open.values()):
            question.fail(AIFailure("NATS went away during the request", AIErrorCode.UNAVAILABLE))

    async def ask(self, subject: str, body: bytes, given: dict[str, str], deadline: float) -> bytes:
        """As `Asking.ask`."""
        for pause_seconds in (*PAUSES_SECONDS, None):
            async with self._asked(subject, body, given, deadline) as question:
                await question.wait(deadline)
                question.take_text()
            assert question.last is not None
            if not is_nobody(question.last):
                return answer_of(question.last)
            if pause_seconds is not None:
                await asyncio.sleep(pause_seconds)
        raise no_broker()

    @asynccontextmanager
    async def _asked(
        self, subject: str, body: bytes, given: dict[str, str], deadline: float
    ) -> AsyncIterator[Question]:
        question = Question()
        name = await self.open(question, subject, body, given, deadline)
        try:
            yield question
        finally:
            await self.close(name, question)

    async def open(self, question: Question, subject: str, body: bytes, given: dict[str, str], deadline: float) -> str:
        """As `Asking.open`."""
        if not self._nc.is_connected:
            raise AIFailure("the connection to the AI broker is down", AIErrorCode.UNAVAILABLE)
        if len(self._open) >= MAX_WAITING:
            raise AIFailure(f"{MAX_WAITING:,} requests of this executor wait for models already", AIErrorCode.BUSY)
        limit = self._nc.max_payload - _HEADER_ROOM_BYTES
        if len(body) > limit:
            text = f"the request is {len(body):,} bytes, NATS here carries at most {limit:,}"
            raise AIFailure(text, AIErrorCode.INVALID_PROMPT)
        left = deadline - asyncio.get_running_loop().time()
        sent = given | {headers.TIMEOUT_MS: str(max(1, int(left * 1000))), headers.HEARTBEAT_MS: _HEARTBEAT_MS}
        name = self._inbox.open(question)
        self._open[name] = question
        try:
            await self._nc.publish(subject, body, name, sent)
        except nats.errors.Error:
            self._forget(name)
            raise AIFailure("the connection to the AI broker is down", AIErrorCode.UNAVAILABLE) from None
        except BaseException:
            self._forget(name)
            raise
        return name

    async def close(self, name: str, question: Question) -> None:
        """As `Asking.close`."""
        self._forget(name)
        if question.ended or self._nc.is_closed:
            return
        try:
            await self._nc.publish(subjects.AI_CANCEL, msgspec.json.encode(Cancel(name)))
        except nats.errors.Error:
            return  # a broker whose replies find no reader ends the request by itself

    def _forget(self, name: str) -> None:
        self._inbox.forget(name)
        self._open.pop(name, None)


def answer_of(last: Msg) -> bytes:
    """The body of a last reply.

    Raises:
        WasmForgeError: it is an error.
    """
    error = headers.get_error(last.headers, last.data)
    if error is not None:
        raise error
    return last.data


def no_broker() -> AIFailure:
    """The error for a request that nobody got."""
    return AIFailure("no AI broker is running", AIErrorCode.UNAVAILABLE)
