"""Counters in JetStream that any number of brokers add to (``Nats-Incr``), with a limit that none passes.

What is added comes back as a total. Whoever's addition took it past the limit takes it off again and is refused, so
what has been granted is never more than the limit. Additions to one counter that meet travel together.
"""

import asyncio
import itertools
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType

import msgspec
import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from broker.budgets.streams import StreamsAway, StreamsGone, create_streams

ANSWER_SECONDS = 2.0
"""How long JetStream may take to count."""

FULL_SECONDS = 0.02
"""For so long a counter that had no room is not asked again: a plugin in a tight loop costs JetStream little."""

GIVE_BACK_SECONDS = 0.02
"""How long what is given back may wait for more of it."""

_MOST_FULL = 4096
_MOST_LATE = 4096
_INCREMENT = "Nats-Incr"


@dataclass(frozen=True, slots=True)
class Wish:
    """So much is to be added to a counter, or less, but not less than ``at_least``."""

    subject: str
    amount: int
    at_least: int
    limit: int


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of a wish."""

    granted: int
    """0: refused."""
    used: int
    """What was used before it."""


class _Error(msgspec.Struct):
    description: str = ""


class _Ack(msgspec.Struct):
    val: str | None = None
    error: _Error | None = None


@dataclass(slots=True)
class _Counter:
    """One counter while somebody waits for it."""

    next: list[tuple[Wish, asyncio.Future[Taken]]] = field(default_factory=list)
    sent: list[tuple[Wish, asyncio.Future[Taken]]] = field(default_factory=list)
    timer: asyncio.TimerHandle | None = None


class Counters:
    """The counters. Use it as ``async with``."""

    def __init__(self, nc: Client) -> None:
        self._nc = nc
        self._loop = asyncio.get_running_loop()
        self._inbox = nc.new_inbox()
        self._subscription: Subscription | None = None
        self._numbers = itertools.count(1)
        self._counters: dict[str, _Counter] = {}
        self._asked: dict[str, tuple[str, int]] = {}
        self._late: OrderedDict[str, tuple[str, int]] = OrderedDict()
        self._full: dict[str, tuple[float, int]] = {}
        self._owed: dict[str, int] = {}
        self._owing = asyncio.Event()
        self._giving_back: asyncio.Task[None] | None = None
        self._made = False
        self._making = asyncio.Lock()

    async def __aenter__(self) -> "Counters":
        self._subscription = await self._nc.subscribe(f"{self._inbox}.*", cb=self._answered)
        self._giving_back = asyncio.create_task(self._give_back_for_ever())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for subject in list(self._counters):
            self._fail(subject, StreamsAway("the broker stops"))
        if self._giving_back is not None:
            self._giving_back.cancel()
            await asyncio.wait([self._giving_back])
        with suppress(nats.errors.Error):
            await self._give_all_back()
        if self._subscription is not None and not self._nc.is_closed:
            await self._subscription.unsubscribe()

    async def prepare(self) -> None:
        """Have the streams, which are made if they are not there.

        Raises:
            StreamsAway: they can't be had.
        """
        if not self._made:
            async with self._making:
                if not self._made:
                    await create_streams(self._nc)
                    self._made = True

    async def take(self, wishes: Sequence[Wish]) -> list[Taken]:
        """Add to several counters at once. What was granted of some although others were refused is the caller's to
        give back.

        Raises:
            StreamsAway: it can't be counted; nothing has been granted.
        """
        await self.prepare()
        try:
            return await self._take(wishes)
        except StreamsGone:
            # A JetStream that lost its streams gets them again.
            await self.prepare()
        return await self._take(wishes)

    def give_back(self, subject: str, amount: int) -> None:
        """Take so much off a counter, before or with whatever is next added to it; negative: add it, whatever the
        limit."""
        if amount:
            self._full.pop(subject, None)
            self._owed[subject] = self._owed.get(subject, 0) + amount
            self._owing.set()

    async def _give_back_for_ever(self) -> None:
        while True:
            await self._owing.wait()
            # What many requests give back in this moment becomes one message, and no answer waits for it.
            await asyncio.sleep(GIVE_BACK_SECONDS)
            self._owing.clear()
            with suppress(nats.errors.Error):
                await self._give_all_back()

    async def _give_all_back(self) -> None:
        while self._owed:
            subject, amount = self._owed.popitem()
            if amount:
                await self._nc.publish(subject, headers={_INCREMENT: f"{-amount:+d}"})

    async def _take(self, wishes: Sequence[Wish]) -> list[Taken]:
        waits: list[tuple[Wish, asyncio.Future[Taken]]] = []
        try:
            for wish in wishes:
                taken: asyncio.Future[Taken] = self._loop.create_future()
                waits.append((wish, taken))
                used = self._known_full(wish)
                if used is not None:
                    taken.set_result(Taken(0, used))
                    continue
                counter = self._counters.get(wish.subject)
                if counter is None:
                    counter = self._counters[wish.subject] = _Counter()
                counter.next.append((wish, taken))
                if not counter.sent:
                    await self._send(wish.subject, counter)
            return [await taken for _, taken in waits]
        except (asyncio.CancelledError, StreamsAway):
            for wish, taken in waits:
                if not taken.done():
                    taken.cancel()
                elif not taken.cancelled() and taken.exception() is None:
                    self.give_back(wish.subject, taken.result().granted)
            raise

    def _known_full(self, wish: Wish) -> int | None:
        full = self._full.get(wish.subject)
        if full is None:
            return None
        until, used = full
        if self._loop.time() >= until:
            del self._full[wish.subject]
            return None
        return used if used + wish.at_least > wish.limit else None

    async def _send(self, subject: str, counter: _Counter) -> None:
        counter.sent, counter.next = counter.next, []
        amount = sum(wish.amount for wish, _ in counter.sent)
        token = f"{self._inbox}.{next(self._numbers)}"
        self._asked[token] = (subject, amount)
        counter.timer = self._loop.call_later(ANSWER_SECONDS, self._too_late, token)
        change = amount - self._owed.pop(subject, 0)
        try:
            await self._nc.publish(subject, reply=token, headers={_INCREMENT: f"{change:+d}"})
        except nats.errors.Error as error:
            self._asked.pop(token, None)
            self._fail(subject, StreamsAway(f"NATS can't be reached ({type(error).__name__})"))

    async def _answered(self, msg: Msg) -> None:
        asked = self._asked.pop(msg.subject, None)
        if asked is None:
            # Whoever wished it has been told that it can't be counted, and now it was.
            late = self._late.pop(msg.subject, None)
            if late is not None and b'"val"' in msg.data:
                self.give_back(*late)
            return
        subject = asked[0]
        if msg.headers and msg.headers.get("Status") == "503":
            self._made = False
            self._fail(subject, StreamsGone())
            return
        try:
            total = _total(msg.data)
        except StreamsAway as error:
            self._fail(subject, error)
        else:
            await self._share_out(subject, total)

    async def _share_out(self, subject: str, total: int) -> None:
        counter = self._counters.get(subject)
        if counter is None:
            return
        sent, counter.sent = counter.sent, []
        if counter.timer is not None:
            counter.timer.cancel()
        used = total - sum(wish.amount for wish, _ in sent)
        for wish, taken in sent:
            if taken.done():
                continue  # nobody waits for it any more
            room = max(0, wish.limit - used)
            granted = min(wish.amount, room)
            if granted < wish.at_least:
                granted = 0
                self._note_full(subject, used)
            taken.set_result(Taken(granted, used))
            used += granted
        surplus = total - used
        if counter.next:
            await self._send(subject, counter)
        else:
            self._counters.pop(subject, None)
        self.give_back(subject, surplus)

    def _note_full(self, subject: str, used: int) -> None:
        if len(self._full) >= _MOST_FULL:
            self._full.clear()
        self._full[subject] = (self._loop.time() + FULL_SECONDS, used)

    def _too_late(self, token: str) -> None:
        asked = self._asked.pop(token, None)
        if asked is not None:
            self._late[token] = asked
            if len(self._late) > _MOST_LATE:
                self._late.popitem(last=False)
            self._fail(asked[0], StreamsAway(f"JetStream did not answer within {ANSWER_SECONDS:g} s"))

    def _fail(self, subject: str, error: StreamsAway) -> None:
        counter = self._counters.pop(subject, None)
        if counter is None:
            return
        if counter.timer is not None:
            counter.timer.cancel()
        for _, taken in counter.sent + counter.next:
            if not taken.done():
                taken.set_exception(error)


def _total(answer: bytes) -> int:
    try:
        ack = msgspec.json.decode(answer, type=_Ack)
    except msgspec.MsgspecError:
        raise StreamsAway("JetStream answers what is not JSON") from None
    if ack.error is not None:
        raise StreamsAway(f"JetStream does not count: {ack.error.description}")
    if ack.val is None:
        raise StreamsAway("JetStream does not count: NATS 2.12 or newer is needed")
    return int(ack.val)
