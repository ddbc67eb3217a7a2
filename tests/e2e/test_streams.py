"""Output as it comes: server-sent events over HTTP, several replies to one inbox over NATS."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
from nats.aio.client import Client
from nats.aio.msg import Msg

from tests.e2e.plugins import UPPER, assert_problem, deploy

SLOW = """import time
from platform_sdk import get_input, send_output
for piece in get_input().split():
    print("about to send", piece)
    send_output(piece)
    time.sleep(0.2)
"""


async def events(http: httpx.AsyncClient, name: str, data: bytes) -> AsyncIterator[tuple[float, str, Any]]:
    """Events of a call: when it came, its name, its data."""
    headers = {"Accept": "text/event-stream"}
    async with http.stream("POST", f"/fn/{name}", content=data, headers=headers) as reply:
        assert reply.status_code == 200
        assert reply.headers["content-type"].startswith("text/event-stream")
        event = ""
        async for line in reply.aiter_lines():
            if line.startswith("event: "):
                event = line[7:]
            elif line.startswith("data: "):
                yield time.monotonic(), event, json.loads(line[6:])


async def stream(nc: Client, name: str, data: bytes, **headers: str) -> list[tuple[float, Msg]]:
    """All replies of a call over NATS: when it came, and the message."""
    inbox = nc.new_inbox()
    subscription = await nc.subscribe(inbox)
    asked = {"Wasmforge-Stream": "1"} | {"Wasmforge-" + key.replace("_", "-"): value for key, value in headers.items()}
    await nc.publish(f"wasmforge.fn.{name}", data, reply=inbox, headers=asked)
    found = []
    while not found or (found[-1][1].headers or {}).get("Wasmforge-Final") != "1":
        found.append((time.monotonic(), await subscription.next_msg(timeout=10)))
    await subscription.unsubscribe()
    return found


async def test_http(http: httpx.AsyncClient) -> None:
    await deploy(http, "stream-slow", SLOW)
    came = [event async for event in events(http, "stream-slow", "eins zwei drei ä\u2028".encode())]
    output = [(when, data) for when, name, data in came if name == "output"]
    assert "".join(data for _, data in output) == "eins\nzwei\ndrei\nä"
    # As it comes: the first piece long before the last.
    assert output[-1][0] - output[0][0] > 0.4
    assert "about to send eins" in "".join(data for _, name, data in came if name == "log")
    _, name, done = came[-1]
    assert name == "done"
    assert (done["success"], done["error"], done["error_type"]) == (True, None, None)
    assert done["phases"]["run"] > 600_000
    assert len(done["execution_id"]) == 32


async def test_nats(http: httpx.AsyncClient, nc: Client) -> None:
    await deploy(http, "stream-slow", SLOW)
    replies = await stream(nc, "stream-slow", b"eins zwei drei", Execution_Id="stream-1")
    kinds = [(when, (msg.headers or {}).get("Wasmforge-Event"), msg) for when, msg in replies]
    output = [(when, msg.data) for when, kind, msg in kinds if kind == "output"]
    assert b"".join(data for _, data in output) == b"eins\nzwei\ndrei"
    assert output[-1][0] - output[0][0] > 0.3
    last = replies[-1][1]
    assert last.data == b""
    assert last.headers is not None
    assert last.headers["Wasmforge-Execution-Id"] == "stream-1"
    assert int(last.headers["Wasmforge-Phase-Run-Us"]) > 500_000


async def test_heartbeats_tell_that_a_call_lives(http: httpx.AsyncClient, nc: Client) -> None:
    await deploy(http, "stream-beat", "import time\ntime.sleep(0.7)\nprint('x')\n")
    replies = await stream(nc, "stream-beat", b"", Heartbeat_Ms="100")
    kinds = [(msg.headers or {}).get("Wasmforge-Event") for _, msg in replies]
    assert kinds.count("heartbeat") >= 3


async def test_a_plugin_that_fails_midway(http: httpx.AsyncClient, nc: Client) -> None:
    await deploy(http, "stream-fails", "from platform_sdk import *\nsend_output('first')\nraise ValueError('then')\n")
    came = [(name, data) async for _, name, data in events(http, "stream-fails", b"")]
    assert came[0] == ("output", "first")
    name, done = came[-1]
    assert (name, done["success"], done["error_type"]) == ("done", False, "plugin_error")
    assert "ValueError: then" in done["error"]
    replies = await stream(nc, "stream-fails", b"")
    assert replies[0][1].data == b"first"
    last = replies[-1][1]
    assert last.headers is not None
    assert last.headers["Wasmforge-Error-Type"] == "plugin_error"
    assert b"ValueError: then" in last.data


async def test_a_plugin_that_only_prints(http: httpx.AsyncClient) -> None:
    await deploy(http, "stream-prints", "print('a')\nprint('b')\n")
    came = [(name, data) async for _, name, data in events(http, "stream-prints", b"")]
    assert "".join(data for name, data in came if name == "output") == "a\nb\n"


async def test_what_did_not_run_has_its_own_status(http: httpx.AsyncClient) -> None:
    reply = await http.post("/fn/stream-none", headers={"Accept": "text/event-stream"})
    assert_problem(reply, 404, "not_found")


async def test_a_reader_that_goes_away_leaves_the_platform_well(http: httpx.AsyncClient) -> None:
    await deploy(http, "stream-slow", SLOW)
    for _ in range(3):
        reading = events(http, "stream-slow", b"eins zwei drei vier")
        async for _, name, _ in reading:
            if name == "output":
                break
        await reading.aclose()
    came = [(name, data) async for _, name, data in events(http, "stream-slow", b"eins")]
    assert ("output", "eins") in came


async def test_many_streams_at_once_keep_to_themselves(http: httpx.AsyncClient) -> None:
    await deploy(http, "stream-slow", SLOW)

    async def read(number: int) -> str:
        came = [(name, data) async for _, name, data in events(http, "stream-slow", b"%d-a %d-b" % (number, number))]
        return "".join(data for name, data in came if name == "output")

    assert await asyncio.gather(*map(read, range(12))) == [f"{number}-a\n{number}-b" for number in range(12)]
    await deploy(http, "stream-upper", UPPER)
    assert (await http.post("/fn/stream-upper", content=b"x")).text == "X"
