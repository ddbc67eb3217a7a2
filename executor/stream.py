"""Pieces of output and log on their way to a caller that wants them as they come."""

import asyncio
from types import TracebackType

import nats.errors

from executor.calls import Call
from executor.cancelling import Cancellation
from executor.execution import Watcher
from executor.replies import Replies
from schemas import headers

_MAX_PIECE_BYTES = 256 * 1024
"""No message is longer; where a piece is cut makes no difference to what all of them are together."""


class Stream:
    """Keeps the pieces of one call in order, from the sandbox's callbacks to NATS.

    Pieces of a kind that come in the same turn of the loop, or while NATS takes none, go out as one. What waits here is
    bounded by the plugin's own limits of output and log. Leaving the ``async with`` waits until all is published.

    Args:
        unread: inbox on which NATS says that nobody got a piece.
    """

    def __init__(self, replies: Replies, call: Call, unread: str, cancellation: Cancellation) -> None:
        self._replies = replies
        self._call = call
        self._unread = unread
        self._cancellation = cancellation
        self._waiting: list[tuple[str, bytearray]] = []
        self._more = asyncio.Event()
        self._ended = False
        self._sender: asyncio.Task[None] | None = None
        self.watcher = Watcher(
            on_output=lambda data: self._add(headers.EVENT_OUTPUT, data),
            on_log=lambda data: self._add(headers.EVENT_LOG, data),
        )

    async def __aenter__(self) -> "Stream":
        self._sender = asyncio.create_task(self._send())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended = True
        self._more.set()
        assert self._sender is not None
        await self._sender

    def _add(self, event: str, data: bytes) -> None:
        if self._waiting and self._waiting[-1][0] == event:
            self._waiting[-1][1].extend(data)
        else:
            self._waiting.append((event, bytearray(data)))
        self._more.set()

    async def _send(self) -> None:
        while not self._ended or self._waiting:
            await self._more.wait()
            self._more.clear()
            pieces, self._waiting = self._waiting, []
            try:
                for event, data in pieces:
                    await self._publish(event, data)
            except nats.errors.Error as error:
                # With a piece missing the rest is of no use.
                why = str(error) or type(error).__name__
                self._cancellation.cancel(f"a piece of the stream could not be sent ({why}); the plugin was ended")
                return

    async def _publish(self, event: str, data: bytearray) -> None:
        for start in range(0, max(1, len(data)), _MAX_PIECE_BYTES):
            part = bytes(data[start : start + _MAX_PIECE_BYTES])
            await self._replies.piece(self._call, event, part, self._unread)
