"""``POST /fn/{name}``: every status of the table, every header, bodies of every kind."""

import pytest

from schemas import errors, headers
from tests.gateway.conftest import Running
from tests.gateway.scripted import Call, Executor


async def test_body_in_output_out(calls: Running, executor: Executor) -> None:
    reply = await calls.http.post("/fn/shout", content="grüße\nzwei Zeilen\n")
    assert reply.status_code == 200
    assert reply.text == "grüße\nzwei Zeilen\n"
    assert reply.headers["content-type"] == "text/plain; charset=utf-8"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in reply.headers["content-security-policy"]
    assert reply.headers["wasmforge-execution-id"] == executor.calls[0].headers[headers.EXECUTION_ID]
    assert reply.headers["wasmforge-revision"] == "ab" * 32
    assert "run;dur=1.500" in reply.headers["server-timing"]
    assert "total;dur=" in reply.headers["server-timing"]
    assert executor.calls[0].plugin == "shout"
