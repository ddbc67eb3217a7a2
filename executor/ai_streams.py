"""Answers of models that a plugin reads as they come."""

import asyncio
from typing import Any

import msgspec

from executor.asking import Asking, Question, answer_of, no_broker
from schemas import headers
from schemas.errors import AIErrorCode, AIFailure
from schemas.inbox import PAUSES_SECONDS, is_nobody

MAX_OPEN = 8
"""Streams that one execution may have open at once."""


class AIStream:
    """One stream, from its request to its last reply."""

    def __init__(self, broker: Asking, subject: str, body: bytes, forward: dict[str, str], shape: type[Any]) -> None:
        self._broker = broker
        self._subject = subject
        self._body = body
        self._forward = forward | {headers.STREAM: "1"}
        self.shape = shape
        """Of the last reply."""
        self._question = Question()
        self._name = ""
        self._pauses = list(PAUSES_SECONDS)

    @property
    def ready(self) -> bool:
        """Whether `next` returns without waiting."""
        return self._question.ready

    async def open(self, deadline: float) -> None:
        """Send the request.

        Raises:
            AIFailure: it was not sent.
        """
        self._question = Question()
        self._name = await self._broker.open(self._question, self._subject, self._body, self._forward, deadline)

    async def next(self, deadline: float) -> tuple[str, bytes | None]:
        """All text that has come since the last time, waiting for some; with the last of it the body of the reply.

        Raises:
            WasmForgeError: the request failed.
        """
        while True:
            await self._question.wait(deadline)
            last = self._question.last
            if last is None or not is_nobody(last):
                break
            await self.close()
            if not self._pauses:
                raise no_broker()
            await asyncio.sleep(self._pauses.pop(0))
            await self.open(deadline)
        text = self._question.take_text()
        if last is None or (text and headers.get_error(last.headers, last.data) is not None):
            return text, None  # what came before an error is read before it
        return text, answer_of(last)

    async def close(self) -> None:
        """Read no more of it; an answer that is not complete is given up by the broker."""
        if self._name:
            name, self._name = self._name, ""
            await self._broker.close(name, self._question)


class AIStreams:
    """The open streams of one execution, by number."""

    def __init__(self) -> None:
        self._open: dict[int, AIStream] = {}
        self._opened = 0

    async def add(self, stream: AIStream, deadline: float) -> int:
        """Open a stream; its number.

        Raises:
            AIFailure: too many are open, or it was not sent.
        """
        if len(self._open) >= MAX_OPEN:
            text = f"{MAX_OPEN} streams are open, which is as many as there may be: read one to its end or close it"
            raise AIFailure(text, AIErrorCode.TOO_MANY_CALLS)
        await stream.open(deadline)
        self._opened += 1
        self._open[self._opened] = stream
        return self._opened

    def get(self, number: int) -> AIStream:
        """An open stream.

        Raises:
            AIFailure: there is none of this number.
        """
        stream = self._open.get(number)
        if stream is None:
            raise AIFailure("this stream is closed", AIErrorCode.CANCELLED)
        return stream

    async def close(self, number: int) -> None:
        """Close a stream, if it is open."""
        stream = self._open.pop(number, None)
        if stream is not None:
            await stream.close()

    async def close_all(self) -> None:
        """Close every stream."""
        for number in list(self._open):
            await self.close(number)


class StreamRequest(msgspec.Struct, frozen=True):
    """Arguments of ``next`` and ``close``."""

    stream: int
