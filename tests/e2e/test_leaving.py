"""A reader that goes away cancels all the way back: the model server's request is closed, the slots are free."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import msgspec
import nats
import pytest
from nats.aio.client import Client

from schemas import headers, subjects
from schemas.messages import ExecutionFinished
from tests.broker.misbehaving import Misbehaving, hangs, http, repeats, sends
from tests.e2e.plugins import deploy, http_client
from tests.support.platform import Platform, platform

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n\r\n"
PIECE = json.dumps({"model": "llama3.2:latest", "response": "word ", "done": False}).encode() + b"\n"
WHOLE = "from platform_sdk import *\nsend_output(call_ai('llama3.2:latest', 'p'))"
PIECES = "from platform_sdk import *\nfor text in stream_ai('llama3.2:latest', 'p'): send_chunk(text)"


@pytest.fixture(scope="module")
async def models() -> AsyncIterator[Misbehaving]:
    """A model server that never comes to an end."""
    tags = sends(http({"models": [{"name": "llama3.2:latest"}]}))
    async with Misbehaving(tags=tags).running() as server:
        yield server


@pytest.fixture(scope="module")
async def platform_of_its_own(session_folder: Path, models: Misbehaving) -> AsyncIterator[Platform]:
    """The platform with that model server."""
    environment = {"OLLAMA_URL": models.url, "WASMFORGE_SLOTS": "1", "WASMFORGE_OUTSIDE": "0"}
    async with platform(session_folder / "leaving", executors=1, environment=environment) as running:
        async with http_client(running.http_url) as client:
            await deploy(client, "whole", WHOLE)
            await deploy(client, "pieces", PIECES)
            await deploy(client, "quick", "print('here')")
        yield running


@pytest.fixture
async def nc(platform_of_its_own: Platform) -> AsyncIterator[Client]:
    """A client of its own."""
    client = await nats.connect(platform_of_its_own.nats_url)
    yield client
    await client.close()


async def _left(models: Misbehaving, nc: Client, ended: asyncio.Queue[ExecutionFinished], running: Platform) -> None:
    """The model server's client has gone, the call is recorded so, and the only slot is free."""
    await asyncio.wait_for(models.left.wait(), 5)
    assert (await asyncio.wait_for(ended.get(), 5)).error_type == "cancelled"
    async with http_client(running.http_url) as client:
        assert (await client.post("/fn/quick")).text == "here\n"


@pytest.fixture
async def ended(nc: Client) -> asyncio.Queue[ExecutionFinished]:
    """Records of the calls of this test's plugins."""
    heard: asyncio.Queue[ExecutionFinished] = asyncio.Queue()

    async def on_finished(msg: nats.aio.msg.Msg) -> None:
        record = msgspec.json.decode(msg.data, type=ExecutionFinished)
        if record.plugin != "quick":
            heard.put_nowait(record)

    await nc.subscribe(subjects.EXECUTION_EVENTS, cb=on_finished)
    await nc.flush()
    return heard


async def test_an_http_client_that_leaves_a_stream(
    platform_of_its_own: Platform, models: Misbehaving, nc: Client, ended: asyncio.Queue[ExecutionFinished]
) -> None:
    models.generate = repeats(HEAD, PIECE, 0.01)
    models.left.clear()
    async with http_client(platform_of_its_own.http_url) as client:
        async with client.stream("POST", "/fn/pieces", headers={"Accept": "text/event-stream"}) as reply:
            async for line in reply.aiter_lines():
                if "word" in line:
                    break
        assert not models.left.is_set()
    await _left(models, nc, ended, platform_of_its_own)


@pytest.mark.parametrize("path", ["/fn/whole", "/api/plugins/run"])
async def test_an_http_client_that_leaves_while_it_waits(
    platform_of_its_own: Platform,
    models: Misbehaving,
    nc: Client,
    ended: asyncio.Queue[ExecutionFinished],
    path: str,
) -> None:
    models.generate = hangs
    models.left.clear()
    asked = len(models.asked)
    async with http_client(platform_of_its_own.http_url) as client:
        form = {"plugin_name": "whole"} if path == "/api/plugins/run" else None
        call = asyncio.create_task(client.post(path, data=form))
        async with asyncio.timeout(10):
            while len(models.asked) == asked:  # noqa: ASYNC110
                await asyncio.sleep(0.005)
        call.cancel()
        with pytest.raises((asyncio.CancelledError, httpx.HTTPError)):
            await call
    await _left(models, nc, ended, platform_of_its_own)


async def test_a_nats_client_that_goes_without_a_word(
    platform_of_its_own: Platform, models: Misbehaving, nc: Client, ended: asyncio.Queue[ExecutionFinished]
) -> None:
    models.generate = repeats(HEAD, PIECE, 0.01)
    models.left.clear()
    reader = await nats.connect(platform_of_its_own.nats_url)
    inbox = reader.new_inbox()
    subscription = await reader.subscribe(inbox)
    await reader.publish(subjects.function("pieces"), b"", inbox, {headers.STREAM: "1"})
    assert b"word" in (await subscription.next_msg(timeout=10)).data
    await reader.close()
    await _left(models, nc, ended, platform_of_its_own)
