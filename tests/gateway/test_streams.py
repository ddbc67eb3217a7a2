"""``Accept: text/event-stream``: output as it comes, and an end that always says how it went."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from gateway import inbox, waiters
from schemas import headers
from schemas.errors import (
    AIErrorCode,
    AIFailure,
    Busy,
    InvalidInput,
    NotFound,
    PluginError,
    TooLarge,
    Unavailable,
    WasmForgeError,
)
from tests.gateway.conftest import Running, until
from tests.gateway.scripted import Call, Executor

STREAM = {"Accept": "text/event-stream"}


@dataclass
class Event:
    name: str
    data: Any


async def events_of(reply: httpx.Response) -> AsyncIterator[Event]:
    """Events as a client of server-sent events reads them; comments are events without a name."""
    name, data = "", []
    async for line in reply.aiter_lines():
        if line.startswith(":"):
            yield Event("", line[1:])
        elif line.startswith("event: "):
            name = line[7:]
        elif line.startswith("data: "):
            data.append(line[6:])
        elif not line and name:
            yield Event(name, json.loads("\n".join(data)))
            name, data = "", []


@contextlib.asynccontextmanager
async def stream(calls: Running, body: bytes = b"", accept: str = "text/event-stream") -> AsyncIterator[httpx.Response]:
    async with calls.http.stream("POST", "/fn/f", content=body, headers={"Accept": accept}) as reply:
        yield reply


async def test_pieces_come_as_they_are_sent(calls: Running, executor: Executor) -> None:
    go_on = asyncio.Event()

    async def talk(call: Call) -> None:
        await call.event(headers.EVENT_OUTPUT, b"eins")
        await go_on.wait()
        await call.event(headers.EVENT_LOG, b"a log line\nand another")
        await call.event(headers.EVENT_HEARTBEAT)
        await call.event(headers.EVENT_OUTPUT, "\nzwei: ü\r\n".encode())
        await call.reply(b"", dict(zip(headers.AI_USE, ("2", "30", "4"), strict=True)))

    executor.script = talk
    async with stream(calls) as reply:
        assert reply.status_code == 200, reply.text
        assert reply.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert reply.headers["cache-control"] == "no-store"
        events = events_of(reply)
        assert await anext(events) == Event("output", "eins")
        go_on.set()
        assert await anext(events) == Event("log", "a log line\nand another")
        assert (await anext(events)).name == ""
        assert await anext(events) == Event("output", "\nzwei: ü\r\n")
        done = await anext(events)
        assert done.name == "done"
        assert done.data == {
            "success": True,
            "error": None,
            "error_type": None,
            "execution_id": reply.headers["wasmforge-execution-id"],
            "phases": {"run": 1500, "restore": 200},
            "code": None,
            "ai_calls": 2,
            "ai_prompt_tokens": 30,
            "ai_output_tokens": 4,
        }
        with pytest.raises(StopAsyncIteration):
            await anext(events)
    assert executor.calls[0].headers[headers.STREAM] == "1"


async def test_a_responder_that_does_not_stream_is_one_piece(calls: Running, executor: Executor) -> None:
    async with stream(calls, b"all at once") as reply:
        names = [(event.name, event.data if event.name == "output" else "") async for event in events_of(reply)]
    assert names == [("output", "all at once"), ("done", "")]


async def test_nothing_sent_is_only_done(calls: Running, executor: Executor) -> None:
    async with stream(calls, b"") as reply:
        assert reply.status_code == 200, await reply.aread()
        assert [event.name async for event in events_of(reply)] == ["done"]


async def test_a_character_cut_in_two_is_put_together(calls: Running, executor: Executor) -> None:
    async def cut(call: Call) -> None:
        await call.event(headers.EVENT_OUTPUT, b"gr\xc3")
        await call.event(headers.EVENT_OUTPUT, b"\xbc\xc3\x9fe \xf0\x9f")
        await call.reply(b"")

    executor.script = cut
    async with stream(calls) as reply:
        text = "".join([event.data async for event in events_of(reply) if event.name == "output"])
    assert text == "grüße \ufffd"


async def test_bytes_for_those_who_ask(calls: Running, executor: Executor) -> None:
    async with stream(calls, b"\xff\x00", accept="text/event-stream; output=bytes") as reply:
        output = await anext(events_of(reply))
    assert output == Event("output", {"base64": "/wA="})


@pytest.mark.parametrize(
    "error",
    [
        Busy("full"),
        Unavailable("away"),
        NotFound("no"),
        InvalidInput("bad"),
        TooLarge("x", size_bytes=2, limit_bytes=1),
    ],
    ids=lambda error: str(error.error_type),
)
async def test_what_did_not_start_has_a_status(calls: Running, executor: Executor, error: WasmForgeError) -> None:
    async def fail(call: Call) -> None:
        await call.error(error)

    executor.script = fail
    reply = await calls.http.post("/fn/f", content=b"", headers=STREAM)
    assert reply.status_code == error.http_status
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json()["error_type"] == str(error.error_type)


async def test_a_plugin_that_fails_does_so_in_done(calls: Running, executor: Executor) -> None:
    async def fail(call: Call) -> None:
        await call.error(PluginError("Traceback\nValueError: x"))

    executor.script = fail
    async with stream(calls) as reply:
        assert reply.status_code == 200, reply.text
        (done,) = [event async for event in events_of(reply)]
    assert done.name == "done"
    assert (done.data["success"], done.data["error_type"]) == (False, "plugin_error")
    assert done.data["error"] == "Traceback\nValueError: x"


async def test_the_code_of_an_ai_error(calls: Running, executor: Executor) -> None:
    async def fail(call: Call) -> None:
        await call.event(headers.EVENT_OUTPUT, b"so far")
        await call.error(AIFailure("slow", AIErrorCode.TIMEOUT))

    executor.script = fail
    async with stream(calls) as reply:
        events = [event async for event in events_of(reply)]
    assert [event.name for event in events] == ["output", "done"]
    assert events[1].data["code"] == "timeout"


async def test_no_executor_and_bad_names_have_a_status(calls: Running) -> None:
    assert (await calls.http.post("/fn/f", content=b"", headers=STREAM)).status_code == 503
    assert (await calls.http.post("/fn/a.b", content=b"", headers=STREAM)).status_code == 400


async def test_a_lost_executor_after_output_ends_in_done(
    calls: Running, executor: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "SILENCE_SECONDS", 0.4)

    async def die(call: Call) -> None:
        await call.event(headers.EVENT_OUTPUT, b"half")

    executor.script = die
    async with stream(calls) as reply:
        events = [event async for event in events_of(reply)]
    assert [event.name for event in events] == ["output", "done"]
    assert events[1].data["error_type"] == "runtime_error"
    assert "gone" in events[1].data["error"]


async def test_a_client_that_goes_away_ends_the_wait(calls: Running, executor: Executor) -> None:
    async def talk(call: Call) -> None:
        await call.event(headers.EVENT_OUTPUT, b"first")

    executor.script = talk
    async with stream(calls) as reply:
        await anext(events_of(reply))
        assert calls.gateway.inbox.waiting == 1
    await until(lambda: calls.gateway.inbox.waiting == 0)
    await until(lambda: not calls.server.server_state.tasks)


async def test_a_client_that_does_not_read_is_cut_off(
    calls: Running, executor: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiters, "MAX_UNREAD_BYTES", 1024 * 1024)

    async def flood(call: Call) -> None:
        for _ in range(300):
            await call.event(headers.EVENT_OUTPUT, b"x" * 65536)

    executor.script = flood
    reader, writer = await asyncio.open_connection("127.0.0.1", calls.port, limit=1024)
    writer.write(b"POST /fn/f HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\nContent-Length: 0\r\n\r\n")
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    await executor.called.wait()
    (waiter,) = calls.gateway.inbox._waiting.values()
    await until(lambda: getattr(waiter, "error", None) is not None)
    assert "not read fast enough" in str(waiter.error)  # type: ignore[attr-defined]
    writer.close()
    await until(lambda: calls.gateway.inbox.waiting == 0)
    del reader


@pytest.mark.parametrize(
    ("accept", "streamed"),
    [
        ("text/event-stream", True),
        ("TEXT/Event-Stream;q=0.9", True),
        ("application/json, text/event-stream", True),
        ("*/*", False),
        ("text/event-stream-not", False),
        ("", False),
    ],
)
async def test_who_gets_a_stream(calls: Running, executor: Executor, accept: str, streamed: bool) -> None:
    reply = await calls.http.post("/fn/f", content=b"x", headers={"Accept": accept})
    assert reply.headers["content-type"].startswith("text/event-stream") is streamed
