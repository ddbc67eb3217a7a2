"""How replies are waited for: one, or a stream of them."""

import asyncio
import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from nats.aio.msg import Msg

from schemas import headers
from schemas.errors import RuntimeFault, Unavailable, WasmForgeError

MAX_UNREAD_BYTES = 16 * 1024 * 1024
"""What a stream's reader may be behind."""

EXECUTOR = "the executor that ran this call"
"""Who is gone if nothing is heard any more, unless it was somebody else."""

_NOT_THE_END = (headers.EVENT_HEARTBEAT, headers.EVENT_OUTPUT, headers.EVENT_LOG)


@dataclass(frozen=True, slots=True)
class Reply:
    """The end of a call, as a NATS message brought it."""

    body: bytes
    headers: Mapping[str, str]
    error: WasmForgeError | None
    """Why the call failed; None if it did not."""


class OneReply:
    """Waits for exactly one reply."""

    __slots__ = ("deadline", "future", "heard", "runner")

    def __init__(self, patience_seconds: float, *, heartbeats: bool) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        self.deadline = now + patience_seconds
        self.heard = now if heartbeats else math.inf
        self.runner = EXECUTOR
        self.future: asyncio.Future[Msg] = loop.create_future()

    def deliver(self, msg: Msg) -> None:
        if event_of(msg) is not None:
            self.heard = self.future.get_loop().time()
        elif not self.future.done():
            self.future.set_result(msg)

    def fail(self, error: WasmForgeError) -> None:
        if not self.future.done():
            self.future.set_exception(error)


class ManyReplies:
    """Keeps the pieces of a stream in order until they are read."""

    __slots__ = ("_loop", "_unread_bytes", "_wake", "deadline", "ended", "error", "heard", "messages", "runner")

    def __init__(self, patience_seconds: float, runner: str = EXECUTOR) -> None:
        self.runner = runner
        self._loop = asyncio.get_running_loop()
        self.heard = self._loop.time()
        self.deadline = self.heard + patience_seconds
        self.error: WasmForgeError | None = None
        self.ended = False
        """Whether the last message is there: whoever sent it has nothing more to do."""
        self.messages: deque[Msg] = deque()
        self._unread_bytes = 0
        self._wake = asyncio.Event()

    def deliver(self, msg: Msg) -> None:
        self.heard = self._loop.time()
        self.ended = self.ended or event_of(msg) is None
        if self.error is not None:
            return
        self._unread_bytes += len(msg.data) + 128
        if self._unread_bytes > MAX_UNREAD_BYTES:
            self.fail(RuntimeFault("the stream was not read fast enough and has been cut off"))
            return
        self.messages.append(msg)
        self._wake.set()

    def fail(self, error: WasmForgeError) -> None:
        if self.error is None:
            self.error = error
        self._wake.set()

    async def next(self) -> Msg:
        """The next message; raises what the call failed with once all before it is read."""
        while not self.messages:
            if self.error is not None:
                raise self.error
            self._wake.clear()
            await self._wake.wait()
        msg = self.messages.popleft()
        self._unread_bytes -= len(msg.data) + 128
        return msg


def event_of(msg: Msg) -> str | None:
    """``output``, ``log`` or ``heartbeat`` if that is all it is; None for the end of a call."""
    found = msg.headers
    if not found or headers.FINAL in found:
        return None
    kind = found.get(headers.EVENT)
    return kind if kind in _NOT_THE_END else None


def nobody_there(what: str) -> Unavailable:
    """The error for a request that nobody got."""
    return Unavailable(f"{what}, try again shortly")


def read_end(msg: Msg) -> Reply:
    """The end of a call."""
    found = msg.headers or {}
    return Reply(msg.data, found, headers.get_error(found, msg.data))
