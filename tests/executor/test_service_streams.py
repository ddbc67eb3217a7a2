"""Streams and heartbeats: what a caller hears while its call runs."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from nats.aio.msg import Msg

from deploy.local.nats import NatsServer
from schemas import headers
from schemas.ai import GenerateRequest
from tests.executor.cluster import Cluster, Reply, cluster, executor
from tests.executor.conftest import Engine


@pytest.fixture(scope="module")
async def here(engine: Engine, folder: Path) -> AsyncIterator[Cluster]:
    """A NATS server and one executor with one slot."""
    async with (
        NatsServer(folder / "nats").run() as server,
        cluster(server.url) as made,
        executor(server.url, engine, folder, slots=1, queue=5),
    ):
        yield made


async def _all(here: Cluster, name: str, data: bytes = b"", **given: object) -> list[Reply]:
    return [reply async for reply in here.stream(name, data, stream=1, **given)]


def _joined(replies: list[Reply], event: str) -> bytes:
    return b"".join(reply.body for reply in replies if reply.event == event)


PIECES = """
from platform_sdk import *
for n in range(50):
    print("log", n)
    send_output(f"piece {n}")
send_output(b"\\xff\\0")
send_output("")
"""


async def test_the_pieces_of_a_stream_are_the_output_of_a_plain_call(here: Cluster) -> None:
    made = await here.gateway.deploy("pieces", PIECES)
    plain = await here.call("pieces")
    replies = await _all(here, "pieces", execution_id="s1")
    *pieces, last = replies
    assert _joined(replies, "output") == plain.body
    assert [piece.body for piece in pieces if piece.event == "output"][:2] == [b"piece 0", b"\npiece 1"]
    assert _joined(replies, "log") == b"".join(b"log %d\n" % n for n in range(50))
    assert not any(piece.final for piece in pieces)
    assert (last.final, last.event, last.body, last.error) == (True, None, b"", None)
    assert last.headers[headers.REVISION] == made.digest
    assert last.headers[headers.EXECUTION_ID] == "s1"
    assert set(headers.get_phases(last.headers)) == set(headers.PHASES)


async def test_output_and_log_keep_their_order(here: Cluster) -> None:
    await here.gateway.deploy("pieces", PIECES)
    pieces = [reply for reply in await _all(here, "pieces") if reply.event]
    kinds = [piece.event for piece in pieces]
    assert kinds[:6] == ["log", "output"] * 3


async def test_a_piece_is_there_before_the_plugin_has_ended(here: Cluster) -> None:
    answered = asyncio.Event()

    async def when_told(request: GenerateRequest, msg: Msg) -> str:
        await answered.wait()
        return "late"

    here.broker.answer = when_told
    await here.gateway.deploy(
        "early", "from platform_sdk import *\nsend_output('early')\nprint('note')\nsend_output(call_ai('m', 'p'))"
    )
    seen = []
    async for reply in here.stream("early", stream=1):
        seen.append((reply.event, reply.body))
        if len(seen) == 2:
            assert not answered.is_set()
            answered.set()
    assert seen == [("output", b"early"), ("log", b"note\n"), ("output", b"\nlate"), (None, b"")]


async def test_a_plugin_that_only_prints_streams_its_output_at_the_end(here: Cluster) -> None:
    await here.gateway.deploy("prints", "print('one')\nprint('two')")
    replies = await _all(here, "prints")
    assert [(reply.event, reply.body) for reply in replies[-2:]] == [("output", b"one\ntwo\n"), (None, b"")]
    assert _joined(replies, "log") == b"one\ntwo\n"


async def test_a_stream_may_be_empty(here: Cluster) -> None:
    await here.gateway.deploy("silent", "x = 1")
    (last,) = await _all(here, "silent")
    assert (last.final, last.body, last.error) == (True, b"", None)


async def test_a_stream_that_fails_ends_with_the_error(here: Cluster) -> None:
    await here.gateway.deploy("fails", "from platform_sdk import *\nsend_output('before')\n1/0")
    *pieces, last = await _all(here, "fails")
    assert [piece.body for piece in pieces] == [b"before"]
    assert last.final
    assert last.headers[headers.ERROR_TYPE] == "plugin_error"
    assert b"ZeroDivisionError" in last.body


@pytest.mark.parametrize(("name", "error_type"), [("nobody", "not_found"), ("big", "too_large")])
async def test_a_call_that_does_not_run_is_one_final_message(here: Cluster, name: str, error_type: str) -> None:
    await here.gateway.deploy("big", "x = 1", input_bytes=1)
    (last,) = await _all(here, name, b"xx")
    assert last.final
    assert last.headers[headers.ERROR_TYPE] == error_type


async def test_a_caller_hears_heartbeats_while_its_call_runs_and_while_it_waits(here: Cluster) -> None:
    await here.gateway.deploy("sleeps", "import time; time.sleep(0.5)\nprint('slept')")

    async def heard() -> list[str | None]:
        return [reply.event async for reply in here.stream("sleeps", heartbeat_ms=100)]

    first, second = await asyncio.gather(heard(), heard())
    shorter, longer = sorted((first, second), key=len)
    for events in (shorter, longer):
        assert events[-1] is None
        assert set(events[:-1]) == {"heartbeat"}
    assert 2 <= len(shorter) - 1 <= 10
    assert len(longer) >= len(shorter) + 2, "it waited for the only slot"


async def test_without_being_asked_for_there_is_no_heartbeat(here: Cluster) -> None:
    await here.gateway.deploy("sleeps", "import time; time.sleep(0.3)")
    assert [reply.event async for reply in here.stream("sleeps")] == [None]


async def test_a_caller_that_wants_no_reply_gets_none_and_its_call_runs(here: Cluster) -> None:
    await here.gateway.deploy("alone", "print('ran')")
    given = {headers.STREAM: "1", headers.HEARTBEAT_MS: "100", headers.EXECUTION_ID: "nobody-waits"}
    await here.nc.publish("wasmforge.fn.alone", b"", headers=given)
    event = await here.record("nobody-waits")
    assert (event.plugin, event.success, event.log) == ("alone", True, "ran\n")
