"""Calls that end because nobody wants their answer any more.

Whoever knows a call's inbox may end it (`schemas.subjects.CALL_CANCEL`); and a call whose heartbeats or pieces NATS can
hand to nobody has lost its caller.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg

from schemas import subjects
from schemas.errors import Cancelled
from schemas.inbox import is_nobody
from schemas.messages import Cancel

_REMEMBERED = 4096
_REMEMBERED_SECONDS = 5.0
_MAX_INBOX_CHARACTERS = 256
"""A call may arrive after word of its end, from another connection or by way of another executor."""
_BY_CALLER = "whoever called wants the answer no more; the plugin was ended"
_UNREAD = "nobody reads the replies of this call any more; the plugin was ended"


class Cancelling:
    """The calls of one executor, by inbox."""

    def __init__(self) -> None:
        self._calls: dict[str, set[Cancellation]] = {}
        self._recent: OrderedDict[str, float] = OrderedDict()

    async def start(self, nc: Client) -> None:
        """Listen for the calls that are to be ended."""
        await nc.subscribe(subjects.CALL_CANCEL, cb=self._on_message)

    def call(self, reply_to: str) -> "Cancellation":
        """The cancellation of one call, to be used in a ``with`` around all of its work.

        Raises:
            Cancelled: in the ``with``, when the call is to end and no execution of it runs.
        """
        return Cancellation(self, reply_to)

    async def _on_message(self, msg: Msg) -> None:
        try:
            reply_to = msgspec.json.decode(msg.data, type=Cancel).reply_to
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return
        if not subjects.is_inbox(reply_to) or len(reply_to) > _MAX_INBOX_CHARACTERS:
            return
        self._recent.pop(reply_to, None)
        self._recent[reply_to] = asyncio.get_running_loop().time()
        if len(self._recent) > _REMEMBERED:
            self._recent.popitem(last=False)
        for cancellation in list(self._calls.get(reply_to, ())):
            cancellation.cancel(_BY_CALLER)

    def _was_cancelled(self, reply_to: str) -> bool:
        since = self._recent.get(reply_to)
        return since is not None and asyncio.get_running_loop().time() - since < _REMEMBERED_SECONDS

    def _add(self, reply_to: str, cancellation: "Cancellation") -> None:
        if reply_to:
            if self._was_cancelled(reply_to):
                raise Cancelled(_BY_CALLER)
            self._calls.setdefault(reply_to, set()).add(cancellation)

    def _remove(self, reply_to: str, cancellation: "Cancellation") -> None:
        calls = self._calls.get(reply_to)
        if calls is not None:
            calls.discard(cancellation)
            if not calls:
                del self._calls[reply_to]


class Cancellation:
    """How one call is ended: while it waits, what waits is interrupted; while it runs, its execution is told."""

    def __init__(self, calls: Cancelling, reply_to: str) -> None:
        self._all = calls
        self._reply_to = reply_to
        self._task: asyncio.Task[object] | None = None
        self._cancelling = 0
        self._end: Callable[[Cancelled], None] | None = None
        self._over = False
        self._error: Cancelled | None = None
        self._interrupted = False

    def __enter__(self) -> "Cancellation":
        self._task = asyncio.current_task()
        assert self._task is not None
        self._cancelling = self._task.cancelling()
        self._all._add(self._reply_to, self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over = True
        self._all._remove(self._reply_to, self)
        assert self._task is not None
        if self._interrupted and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            assert self._error is not None
            raise self._error from None

    def cancel(self, why: str) -> None:
        """End the call, unless its execution has ended."""
        if self._over or self._error is not None:
            return
        self._error = Cancelled(why)
        if self._end is not None:
            self._end(self._error)
        elif self._task is not None:
            self._interrupted = True
            self._task.cancel()

    @contextmanager
    def running(self, end: Callable[[Cancelled], None]) -> Iterator[None]:
        """While an execution runs, ``end`` ends it; after that there is nothing left to be cancelled."""
        self._end = end
        try:
            yield
        finally:
            self._end = None
            self._over = True


class UnreadPieces:
    """Hears of pieces that nobody got: the stream is broken, so the call ends."""

    def __init__(self, cancellation: Cancellation) -> None:
        self._cancellation = cancellation

    def deliver(self, msg: Msg) -> None:
        """A word of NATS."""
        if is_nobody(msg):
            self._cancellation.cancel(_UNREAD)


class UnreadHeartbeats:
    """Hears of heartbeats that nobody got: after two in a row the call ends, for a caller may connect anew."""

    def __init__(self, cancellation: Cancellation) -> None:
        self._cancellation = cancellation
        self.sent = 0
        """Heartbeats up to now."""
        self._unread = -1

    def deliver(self, msg: Msg) -> None:
        """A word of NATS."""
        if is_nobody(msg):
            if self._unread == self.sent - 1:
                self._cancellation.cancel(_UNREAD)
            self._unread = self.sent
