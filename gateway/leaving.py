"""A client that goes away while it waits for an answer: what is done for it ends."""

import asyncio
from collections.abc import Coroutine
from types import TracebackType
from typing import Any

from starlette.types import Receive

from gateway.bodies import ClientGone

_QUIET_SECONDS = 0.02
"""Most answers are there sooner than this; looking whether the client still is costs them nothing."""


async def until_gone(receive: Receive) -> None:
    """Returns when the client has gone away; the request's body must have been read."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def sent_or_left(receive: Receive, sending: Coroutine[Any, Any, None]) -> None:
    """Send a stream until it ends or the client goes away, when ``sending`` is cancelled; its errors are raised."""
    gone, sent = asyncio.create_task(until_gone(receive)), asyncio.create_task(sending)
    try:
        await asyncio.wait((gone, sent), return_when=asyncio.FIRST_COMPLETED)
        if sent.done():
            sent.result()
    finally:
        gone.cancel()
        sent.cancel()
        await asyncio.gather(gone, sent, return_exceptions=True)


class WhileConnected:
    """Ends its ``async with`` block when the client goes away; the request's body must have been read.

    Raises:
        ClientGone: it did.
    """

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._gone = False
        self._task: asyncio.Task[object] | None = None
        self._cancelling = 0
        self._timer: asyncio.TimerHandle | None = None
        self._watcher: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "WhileConnected":
        self._task = asyncio.current_task()
        assert self._task is not None
        self._cancelling = self._task.cancelling()
        self._timer = asyncio.get_running_loop().call_later(_QUIET_SECONDS, self._watch)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._task is not None
        assert self._timer is not None
        self._timer.cancel()
        if self._watcher is not None:
            self._watcher.cancel()
            await asyncio.wait((self._watcher,))
        if self._gone and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise ClientGone from None

    def _watch(self) -> None:
        self._watcher = asyncio.create_task(self._until_gone())

    async def _until_gone(self) -> None:
        await until_gone(self._receive)
        assert self._task is not None
        self._gone = True
        self._task.cancel()
