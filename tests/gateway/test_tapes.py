"""Tapes over HTTP: a recorded call is asked for as such, and its tape is read from JetStream."""

from collections.abc import AsyncIterator

import nats
import pytest
from nats.js.api import StreamConfig

from gateway.settings import Settings
from schemas import headers, subjects
from schemas.tapes import STREAM
from tests.gateway.conftest import Running, running_gateway
from tests.gateway.scripted import Call, scripted_executor
from tests.support.servers import RestartableNats


@pytest.fixture
async def fresh(own_nats: RestartableNats, database_dsn: str) -> AsyncIterator[Running]:
    async with running_gateway(Settings(nats=own_nats.server.url, database=database_dsn)) as running:
        yield running


async def test_a_tape_is_answered_as_it_was_kept(fresh: Running) -> None:
    missing = await fresh.http.get("/api/executions/abc/tape")
    assert (missing.status_code, "kept for seven days" in missing.json()["detail"]) == (404, True)
    tape = b'{"version":1,"text":"' + b"x" * 7_000_000 + b'"}'
    nc = await nats.connect(fresh.settings.nats)
    await nc.jetstream().add_stream(
        StreamConfig(STREAM, subjects=[subjects.TAPES], allow_direct=True, max_msgs_per_subject=1)
    )
    await nc.jetstream().publish(subjects.tape("abc"), tape)
    await nc.close()
    found = await fresh.http.get("/api/executions/abc/tape")
    assert (found.status_code, found.content == tape) == (200, True)
    assert found.headers["content-type"] == "application/json"
    assert found.headers["x-content-type-options"] == "nosniff"
    other = await fresh.http.get("/api/executions/abd/tape")
    assert other.status_code == 404


@pytest.mark.parametrize("execution_id", ["a.b", "*", ">", "x" * 65, "%00", "a%20b"])
async def test_an_id_that_is_no_token_has_no_tape(fresh: Running, execution_id: str) -> None:
    assert (await fresh.http.get(f"/api/executions/{execution_id}/tape")).status_code == 404


async def test_tapes_are_unavailable_while_nats_is(fresh: Running, own_nats: RestartableNats) -> None:
    await own_nats.stop()
    assert (await fresh.http.get("/api/executions/abc/tape")).status_code == 503


async def test_what_becomes_of_the_tape_is_in_the_reply(fresh: Running) -> None:
    async def kept(call: Call) -> None:
        await call.reply(b"out", {headers.TAPE: "lost: it is too long"})

    async with scripted_executor(fresh.settings.nats) as executor:
        executor.script = kept
        reply = await fresh.http.post("/fn/anything", content=b"x", headers={headers.RECORD: "1"})
        assert reply.headers[headers.TAPE] == "lost: it is too long"
        await fresh.http.post("/fn/anything", content=b"x")
        assert [call.headers.get(headers.RECORD) for call in executor.calls] == ["1", None]
