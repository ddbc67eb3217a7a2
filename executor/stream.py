"""Pieces of output and log on their way to a caller that wants them as they come."""

import asyncio
from types import TracebackType

from executor.calls import Call
from executor.execution import Watcher
from executor.replies import Replies
from schemas import headers

_END = ("", b"")


class Stream:
    """Keeps the pieces of one call in order, from the sandbox's callbacks to NATS.

    What waits here is bounded by the plugin's own limits of output and log. Leaving the ``async with`` waits until all
    pieces are published.
    """

    def __init__(self, replies: Replies, call: Call) -> None:
        self._replies = replies
        self._call = call
        self._pieces: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
        self._sender: asyncio.Task[None] | None = None
        self.watcher = Watcher(
            on_output=lambda data: self._pieces.put_nowait((headers.EVENT_OUTPUT, data)),
            on_log=lambda data: self._pieces.put_nowait((headers.EVENT_LOG, data)),
        )

    async def __aenter__(self) -> "Stream":
        self._sender = asyncio.create_task(self._send())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pieces.put_nowait(_END)
        assert self._sender is not None
        await self._sender

    async def _send(self) -> None:
        while True:
            piece = await self._pieces.get()
            if piece is _END:
                return
            await self._replies.piece(self._call, *piece)
