"""Requests to brokers, and pieces to callers, without a sandbox: what waits, what is given up, what goes out as one."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import msgspec
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from executor import asking
from executor.asking import Broker, Question
from executor.calls import Call
from executor.cancelling import Cancelling
from executor.replies import Replies
from executor.stream import Stream
from schemas import bus, headers, subjects
from schemas.errors import AIErrorCode, AIFailure
from schemas.inbox import Inbox, Receiver, is_nobody
from schemas.messages import Cancel


@pytest.fixture
async def nc(nats_url: str) -> AsyncIterator[Client]:
    """A connection of the test's own."""
    client = await bus.connect(nats_url, "test")
    yield client
    await client.close()


@pytest.fixture
async def broker(nc: Client) -> Broker:
    """Asks whoever answers."""
    inbox: Inbox[Receiver] = Inbox()
    await inbox.attach(nc)
    return Broker(nc, inbox)


@pytest.fixture
async def cancelled(nc: Client) -> asyncio.Queue[str]:
    """Inboxes of requests that were given up."""
    heard: asyncio.Queue[str] = asyncio.Queue()

    async def on_cancel(msg: Msg) -> None:
        heard.put_nowait(msgspec.json.decode(msg.data, type=Cancel).reply_to)

    await nc.subscribe(subjects.AI_CANCEL, cb=on_cancel)
    return heard


def _later(seconds: float = 10) -> float:
    return asyncio.get_running_loop().time() + seconds


async def test_what_nobody_hears_is_asked_again_and_then_refused(broker: Broker, cancelled: asyncio.Queue[str]) -> None:
    with pytest.raises(AIFailure, match="no AI broker is running") as caught:
        await broker.ask("wasmforge.ai.nowhere", b"", {}, _later())
    assert caught.value.code is AIErrorCode.UNAVAILABLE
    assert cancelled.empty()


async def test_a_broker_that_falls_silent_is_gone(
    nc: Client, broker: Broker, cancelled: asyncio.Queue[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asking, "SILENCE_SECONDS", 0.3)
    asked: list[str] = []

    async def beat_once(msg: Msg) -> None:
        asked.append(msg.reply)
        await asyncio.sleep(0.2)  # so that the silence is counted from the heartbeat
        await nc.publish(msg.reply, b"", headers={headers.EVENT: headers.EVENT_HEARTBEAT})

    subscription = await nc.subscribe("wasmforge.ai.silent", cb=beat_once)
    loop = asyncio.get_running_loop()
    started = loop.time()
    with pytest.raises(AIFailure, match="the AI broker is gone") as caught:
        await broker.ask("wasmforge.ai.silent", b"", {}, _later())
    assert loop.time() - started >= 0.5
    assert caught.value.code is AIErrorCode.UNAVAILABLE
    assert [await asyncio.wait_for(cancelled.get(), 5)] == asked
    await subscription.unsubscribe()


async def test_an_answer_that_takes_too_long(nc: Client, broker: Broker, cancelled: asyncio.Queue[str]) -> None:
    async def never(msg: Msg) -> None:
        pass

    subscription = await nc.subscribe("wasmforge.ai.slow", cb=never)
    with pytest.raises(AIFailure, match="did not answer in time") as caught:
        await broker.ask("wasmforge.ai.slow", b"", {}, _later(0.1))
    assert caught.value.code is AIErrorCode.TIMEOUT
    await asyncio.wait_for(cancelled.get(), 5)
    await subscription.unsubscribe()


async def test_a_lost_connection_ends_every_request(nc: Client, broker: Broker) -> None:
    async def never(msg: Msg) -> None:
        broker.lost()

    subscription = await nc.subscribe("wasmforge.ai.lost", cb=never)
    with pytest.raises(AIFailure, match="NATS went away during the request"):
        await broker.ask("wasmforge.ai.lost", b"", {}, _later())
    await subscription.unsubscribe()


async def test_a_request_that_no_message_carries(nc: Client, broker: Broker) -> None:
    with pytest.raises(AIFailure, match="NATS here carries at most"):
        await broker.ask("wasmforge.ai.generate", bytes(nc.max_payload), {}, _later())


async def test_a_sender_learns_that_nobody_waits_at_an_inbox(nc: Client) -> None:
    inbox: Inbox[Receiver] = Inbox()
    await inbox.attach(nc)
    question = Question()
    name = inbox.open(question)
    probe = nc.new_inbox()
    told = await nc.subscribe(probe)
    await nc.publish(name, b"read", probe, {headers.EVENT: headers.EVENT_OUTPUT})
    await nc.flush()
    assert question.take_text() == "read"
    inbox.forget(name)
    await nc.publish(name, b"not wanted")
    await nc.publish(name, b"unread", probe)
    assert is_nobody(await told.next_msg(timeout=5))
    assert not told.pending_msgs


def _piece(data: bytes) -> Msg:
    return Msg(cast(Client, None), "x", data=data, headers={headers.EVENT: headers.EVENT_OUTPUT})


async def test_a_character_cut_in_two_is_put_together() -> None:
    question = Question()
    question.deliver(_piece(b"gr\xc3"))
    assert question.take_text() == "gr"
    assert not question.ready
    question.deliver(_piece(b"\xbc"))
    assert question.take_text() == "\N{LATIN SMALL LETTER U WITH DIAERESIS}"
    question.deliver(_piece(b"\xc3"))
    question.deliver(Msg(cast(Client, None), "x", headers={headers.FINAL: "1"}))
    assert (question.take_text(), question.ended) == ("\N{REPLACEMENT CHARACTER}", True)


class _Kept(Replies):
    """Keeps pieces instead of publishing them."""

    def __init__(self) -> None:
        self.pieces: list[tuple[str, bytes]] = []

    async def piece(self, call: Call, event: str, data: bytes, unread: str) -> None:
        self.pieces.append((event, data))


async def _streamed(*pieces: tuple[str, bytes]) -> list[tuple[str, bytes]]:
    replies = _Kept()
    call = Call("p", b"", "_INBOX.x", "id", 0.0)
    with Cancelling().call("") as cancellation:
        async with Stream(replies, call, "_INBOX.y", cancellation) as stream:
            for kind, data in pieces:
                (stream.watcher.on_output if kind == "output" else stream.watcher.on_log)(data)
    return replies.pieces


async def test_pieces_of_one_moment_go_out_as_one() -> None:
    many: Any = [("output", b"%d " % number) for number in range(1000)]
    assert await _streamed(*many) == [("output", b"".join(data for _, data in many))]


async def test_output_and_log_of_one_moment_keep_their_order() -> None:
    pieces = await _streamed(("output", b"a"), ("output", b"b"), ("log", b"c"), ("output", b"d"))
    assert pieces == [("output", b"ab"), ("log", b"c"), ("output", b"d")]


async def test_a_piece_that_is_large_is_cut() -> None:
    pieces = await _streamed(("output", b"x" * 600_000))
    assert [len(data) for _, data in pieces] == [262_144, 262_144, 75_712]


async def test_nothing_at_all_is_a_piece_too() -> None:
    assert await _streamed(("output", b"")) == [("output", b"")]
    assert await _streamed() == []
