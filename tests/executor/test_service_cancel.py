"""Calls that nobody wants any more end, wherever they are: waiting, running, asking a model, with another executor."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from nats.aio.msg import Msg

from deploy.local.nats import NatsServer
from schemas import headers, subjects
from schemas.ai import ChatRequest, GenerateRequest
from schemas.limits import Limits
from schemas.messages import Cancel, DraftRun, ExecutionFinished
from tests.executor.cluster import Cluster, Reply, cluster, executor
from tests.executor.conftest import Engine
from tests.support.waiting import until

SLEEPS = "import time; time.sleep(20)"
ASKS = "from platform_sdk import *\ncall_ai('m', 'p')"


@pytest.fixture(scope="module")
async def _here(engine: Engine, folder: Path) -> AsyncIterator[Cluster]:
    async with (
        NatsServer(folder / "nats").run() as server,
        cluster(server.url) as made,
        executor(server.url, engine, folder, slots=1, queue=5),
    ):
        yield made


@pytest.fixture
async def here(_here: Cluster) -> Cluster:
    """A NATS server and one executor with one slot, which knows the plugins."""
    _here.broker.forget_scripts()
    _here.broker.cancelled = asyncio.Queue()
    for name, source in {"sleeps": SLEEPS, "asks": ASKS, "quick": "print('here')"}.items():
        await _here.gateway.deploy(name, source)
    assert (await _here.call("quick")).body == b"here\n"
    return _here


class Caller:
    """Calls with an inbox of its own, and keeps what comes."""

    def __init__(self, here: Cluster) -> None:
        self._here = here
        self.inbox = here.nc.new_inbox()
        self.replies: asyncio.Queue[Reply] = asyncio.Queue()

    async def call(self, name: str, body: bytes = b"", subject: str = "", **given: Any) -> "Caller":
        """Call a plugin."""
        sent = {getattr(headers, key.upper()): str(value) for key, value in given.items()}

        async def on_reply(msg: Msg) -> None:
            self.replies.put_nowait(Reply(msg.data, dict(msg.headers or {})))

        self._subscription = await self._here.nc.subscribe(self.inbox, cb=on_reply)
        await self._here.nc.publish(subject or subjects.function(name), body, self.inbox, sent)
        await self._here.nc.flush()
        return self

    async def cancel(self) -> None:
        """Want it no more."""
        await self._here.nc.publish(subjects.CALL_CANCEL, msgspec.json.encode(Cancel(self.inbox)))

    async def leave(self) -> None:
        """Go without a word."""
        await self._subscription.unsubscribe()

    async def end(self) -> str:
        """The error type that the call ended with."""
        async with asyncio.timeout(10):
            while not (reply := await self.replies.get()).final:
                pass
        return str(reply.error.error_type) if reply.error else ""


async def _next_record(here: Cluster, plugin: str) -> ExecutionFinished:
    async with asyncio.timeout(10):
        while (event := await here.finished.get()).plugin != plugin or event.success:
            pass
    return event


async def _asked(here: Cluster) -> Callable[[], bool]:
    """Whether a model is being asked that never answers."""

    async def never(request: GenerateRequest, msg: Msg) -> str:
        await asyncio.Event().wait()
        return ""

    async def pieces(request: GenerateRequest | ChatRequest, msg: Msg) -> AsyncIterator[str]:
        while True:
            yield "piece "
            await asyncio.sleep(0.005)

    here.broker.answer, here.broker.pieces = never, pieces
    return lambda: here.broker.serving > 0


async def test_a_call_that_waits_for_a_model_ends_and_the_model_stops(here: Cluster) -> None:
    asked = await _asked(here)
    caller = await Caller(here).call("asks", execution_id="waits", caller="bob")
    await until(asked)
    await caller.cancel()
    assert await caller.end() == "cancelled"
    await asyncio.wait_for(here.broker.cancelled.get(), 5)
    record = await here.record("waits")
    assert (record.error_type, record.success, record.caller, record.ai_calls) == ("cancelled", False, "bob", 1)
    assert (await here.call("quick")).body == b"here\n"


async def test_a_call_that_computes_ends(here: Cluster) -> None:
    await here.gateway.deploy("spins", "print('begun')\nwhile True: pass")
    caller = await Caller(here).call("spins", stream=1)
    assert (await asyncio.wait_for(caller.replies.get(), 10)).body == b"begun\n"
    await caller.cancel()
    assert await caller.end() == "cancelled"
    assert (await here.call("quick")).body == b"here\n"


async def test_a_call_that_waits_for_its_turn_leaves_the_queue(here: Cluster) -> None:
    asked = await _asked(here)
    first = await Caller(here).call("asks")
    await until(asked)
    second = await Caller(here).call("quick", execution_id="queued", heartbeat_ms=100)
    assert (await asyncio.wait_for(second.replies.get(), 10)).event == "heartbeat"
    await second.cancel()
    assert await second.end() == "cancelled"
    record = await here.record("queued")
    assert (record.plugin, record.error_type) == ("quick", "cancelled")
    assert asked(), "the other call goes on"
    await first.cancel()
    assert await first.end() == "cancelled"


async def test_a_call_that_was_cancelled_before_it_came_is_not_run(here: Cluster) -> None:
    caller = Caller(here)
    await caller.cancel()
    await caller.call("quick")
    assert await caller.end() == "cancelled"


DEEP = b'{"deep": ' + b"[" * 100_000
LONG = msgspec.json.encode({"reply_to": "_INBOX." + "x" * 1_000_000})


async def test_only_who_knows_the_inbox_cancels(here: Cluster) -> None:
    caller = await Caller(here).call("quick")
    for body in (b"", b"{}", b'{"reply_to": 1}', b'{"reply_to": ""}', b'{"reply_to": "_INBOX.*"}', b"\xff", DEEP, LONG):
        await here.nc.publish(subjects.CALL_CANCEL, body)
    assert await caller.end() == ""


async def test_a_draft_is_cancelled_like_a_call(here: Cluster) -> None:
    body = msgspec.json.encode(DraftRun("print('begun')\n" + SLEEPS, limits=Limits(timeout_ms=20_000)))
    caller = await Caller(here).call("", body, subject=subjects.TRY, stream=1)
    assert (await asyncio.wait_for(caller.replies.get(), 10)).body == b"begun\n"
    await caller.cancel()
    assert await caller.end() == "cancelled"


async def test_a_stream_whose_reader_left_without_a_word_ends(here: Cluster) -> None:
    asked = await _asked(here)
    await here.gateway.deploy("tells", "from platform_sdk import *\nfor text in stream_ai('m', 'p'): send_chunk(text)")
    caller = await Caller(here).call("tells", stream=1, execution_id="unread")
    await until(asked)
    assert (await asyncio.wait_for(caller.replies.get(), 10)).body.startswith(b"piece ")
    await caller.leave()
    await asyncio.wait_for(here.broker.cancelled.get(), 5)
    assert (await here.record("unread")).error_type == "cancelled"


async def test_a_call_whose_heartbeats_nobody_hears_ends(here: Cluster) -> None:
    asked = await _asked(here)
    caller = await Caller(here).call("asks", heartbeat_ms=100, execution_id="unheard")
    await until(asked)
    await caller.leave()
    await asyncio.wait_for(here.broker.cancelled.get(), 5)
    record = await here.record("unheard")
    assert record.error_type == "cancelled"
    assert "nobody reads" in (record.error or "")


async def test_a_caller_that_never_wanted_a_reply_is_not_missed(here: Cluster) -> None:
    await here.gateway.deploy("slow", "import time; time.sleep(0.5)\nprint('ran')")
    given = {headers.STREAM: "1", headers.HEARTBEAT_MS: "100", headers.EXECUTION_ID: "alone"}
    await here.nc.publish("wasmforge.fn.slow", b"", headers=given)
    assert (await here.record("alone")).success


async def test_a_call_that_was_passed_on_is_cancelled_where_it_runs(
    here: Cluster, engine: Engine, folder: Path
) -> None:
    asked = await _asked(here)
    async with executor(here.url, engine, folder, slots=1, queue=5):
        callers = [await Caller(here).call("asks", execution_id=f"passed-{number}") for number in range(2)]
        await until(lambda: here.broker.serving == 2)
        assert asked()
        for caller in callers:
            await caller.cancel()
            assert await caller.end() == "cancelled"
        records = [await _next_record(here, "asks") for _ in callers]
        assert len({record.executor for record in records}) == 2
        await until(lambda: here.broker.serving == 0)
