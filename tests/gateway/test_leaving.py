"""A caller that goes away, or is given up: whatever runs for it is told, and nothing waits any more."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
import nats
import pytest
from nats.aio.msg import Msg

from gateway import inbox as inbox_module
from schemas import headers, subjects
from schemas.messages import Cancel
from tests.gateway.conftest import Running, until
from tests.gateway.scripted import Call, Executor

REQUESTS = {
    "plain": b"POST /fn/f HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx",
    "stream": b"POST /fn/f HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\nContent-Length: 1\r\n\r\nx",
    "run": b"POST /api/plugins/run HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    b"Content-Length: 26\r\n\r\nplugin_name=f&input_data=x",
}


@pytest.fixture
async def cancelled(own_nats_url: str) -> AsyncIterator[asyncio.Queue[str]]:
    """Inboxes of calls that were cancelled."""
    heard: asyncio.Queue[str] = asyncio.Queue()

    async def on_cancel(msg: Msg) -> None:
        heard.put_nowait(msgspec.json.decode(msg.data, type=Cancel).reply_to)

    client = await nats.connect(own_nats_url)
    await client.subscribe(subjects.CALL_CANCEL, cb=on_cancel)
    await client.flush()
    yield heard
    await client.close()


async def _never(call: Call) -> None:
    await call.event(headers.EVENT_HEARTBEAT)
    await asyncio.Event().wait()


@pytest.mark.parametrize("way", ["plain", "stream", "run"])
async def test_a_client_that_goes_away_cancels_its_call(
    calls: Running, executor: Executor, cancelled: asyncio.Queue[str], way: str
) -> None:
    executor.script = _never
    _, writer = await asyncio.open_connection("127.0.0.1", calls.port)
    writer.write(REQUESTS[way])
    await executor.called.wait()
    writer.close()
    inbox = await asyncio.wait_for(cancelled.get(), 5)
    assert inbox == executor.calls[0].msg.reply
    await until(lambda: calls.gateway.inbox.waiting == 0)
    await until(lambda: not calls.server.server_state.tasks)


@pytest.mark.parametrize("way", ["plain", "stream"])
async def test_a_call_that_is_given_up_is_cancelled(
    calls: Running, executor: Executor, cancelled: asyncio.Queue[str], monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr(inbox_module, "SILENCE_SECONDS", 0.3)
    executor.script = _never
    accept = {"Accept": "text/event-stream"} if way == "stream" else {}
    reply = await calls.http.post("/fn/f", content=b"", headers=accept)
    assert "is gone" in reply.text
    assert await asyncio.wait_for(cancelled.get(), 5) == executor.calls[0].msg.reply


@pytest.mark.parametrize("way", ["plain", "stream"])
async def test_a_call_that_ended_is_not_cancelled(
    calls: Running, executor: Executor, cancelled: asyncio.Queue[str], way: str
) -> None:
    accept = {"Accept": "text/event-stream"} if way == "stream" else {}
    for _ in range(3):
        assert (await calls.http.post("/fn/f", content=b"x", headers=accept)).status_code == 200
    executor.script = _never
    _, writer = await asyncio.open_connection("127.0.0.1", calls.port)
    executor.called.clear()
    writer.write(REQUESTS["plain"])
    await executor.called.wait()
    writer.close()
    assert await asyncio.wait_for(cancelled.get(), 5) == executor.calls[-1].msg.reply
    assert cancelled.empty()


async def test_a_client_that_stays_is_answered_however_long_it_takes(
    calls: Running, executor: Executor, cancelled: asyncio.Queue[str]
) -> None:
    async def slowly(call: Call) -> None:
        await asyncio.sleep(0.15)  # longer than nobody looks whether the client still is
        await call.reply(b"there")

    executor.script = slowly
    reader, writer = await asyncio.open_connection("127.0.0.1", calls.port)
    for _ in range(2):
        writer.write(REQUESTS["plain"])
        assert (await reader.readuntil(b"there")).startswith(b"HTTP/1.1 200")
    writer.close()
    assert cancelled.empty()
