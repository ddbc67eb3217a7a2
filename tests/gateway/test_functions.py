"""``POST /fn/{name}``: every status of the table, every header, bodies of every kind."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from schemas import headers
from schemas.errors import (
    AIErrorCode,
    AIFailure,
    Busy,
    DeadlineExceeded,
    InvalidInput,
    NotFound,
    OutOfMemory,
    OutputTooLarge,
    PluginError,
    RuntimeFault,
    SandboxViolation,
    TooLarge,
    Unavailable,
    WasmForgeError,
)
from tests.gateway.conftest import Running, until
from tests.gateway.scripted import Call, Executor


async def test_body_in_output_out(calls: Running, executor: Executor) -> None:
    reply = await calls.http.post("/fn/shout", content="grüße\nzwei Zeilen\n")
    assert reply.status_code == 200, reply.text
    assert reply.text == "grüße\nzwei Zeilen\n"
    assert reply.headers["content-type"] == "text/plain; charset=utf-8"
    assert reply.headers["wasmforge-execution-id"] == executor.calls[0].headers[headers.EXECUTION_ID]
    assert reply.headers["wasmforge-revision"] == "ab" * 32
    assert reply.headers["wasmforge-executor"] == "scripted"
    assert reply.headers["server-timing"].startswith("restore;dur=0.200, run;dur=1.500, total;dur=")
    assert executor.calls[0].plugin == "shout"


@pytest.mark.parametrize(
    "body",
    [b"", b"\0", bytes(range(256)), b"\xff\xfe", "ü".encode() * 1000, b"a" * 4 * 1024 * 1024, b"line\r\nline\r\n\r\n"],
    ids=["empty", "nul", "every byte", "not utf-8", "text", "4 MiB", "line breaks"],
)
async def test_any_body_comes_back_as_it_was(calls: Running, executor: Executor, body: bytes) -> None:
    reply = await calls.http.post("/fn/echo", content=body)
    assert reply.status_code == 200, reply.text
    assert reply.content == body
    try:
        body.decode()
        assert reply.headers["content-type"] == "text/plain; charset=utf-8"
    except UnicodeDecodeError:
        assert reply.headers["content-type"] == "application/octet-stream"


async def test_output_never_runs_as_a_page(calls: Running, executor: Executor) -> None:
    reply = await calls.http.post("/fn/echo", content=b"<script>alert(1)</script>")
    assert reply.headers["content-type"] == "text/plain; charset=utf-8"
    assert reply.headers["x-content-type-options"] == "nosniff"
    assert reply.headers["content-security-policy"].startswith("sandbox;")


ERRORS = [
    (PluginError('Traceback (most recent call last):\n  File "plugin.py", line 3\nZeroDivisionError: ünd'), 500),
    (SandboxViolation("no sockets here"), 500),
    (OutOfMemory("over 128 MiB"), 500),
    (OutputTooLarge("over 1 MiB"), 500),
    (DeadlineExceeded("over 120 s"), 504),
    (AIFailure("the model said no", AIErrorCode.REFUSED), 502),
    (InvalidInput("not so"), 400),
    (NotFound("no such plugin"), 404),
    (TooLarge("The input", size_bytes=2_000_000, limit_bytes=1_048_576), 413),
    (Busy("all full", retry_after_seconds=3), 503),
    (Unavailable("no store"), 503),
    (RuntimeFault("ours"), 500),
]


@pytest.mark.parametrize(("error", "status"), ERRORS, ids=[str(error.error_type) for error, _ in ERRORS])
async def test_every_error_of_the_table(calls: Running, executor: Executor, error: WasmForgeError, status: int) -> None:
    async def fail(call: Call) -> None:
        await call.error(error)

    executor.script = fail
    reply = await calls.http.post("/fn/broken", content=b"x")
    assert reply.status_code == status, reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    problem = reply.json()
    assert problem["type"] == f"urn:wasmforge:error:{error.error_type}"
    assert problem["status"] == status
    assert problem["error_type"] == str(error.error_type)
    assert problem["error"] == error.message
    assert problem["detail"] == error.message.splitlines()[-1]
    assert problem["execution_id"] == reply.headers["wasmforge-execution-id"]
    assert problem["phases_us"] == {"run": 1500}
    assert reply.headers["wasmforge-error-type"] == str(error.error_type)
    if error.retry_after_seconds is None:
        assert "retry-after" not in reply.headers
    else:
        assert reply.headers["retry-after"] == str(error.retry_after_seconds)
    if isinstance(error, AIFailure):
        assert problem["code"] == "refused"
    if isinstance(error, TooLarge):
        assert "2,000,000" in problem["error"]
        assert "1,048,576" in problem["error"]


async def test_headers_are_passed_on(calls: Running, executor: Executor) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    sent = {
        "Wasmforge-Timeout-Ms": "5000",
        "Wasmforge-Revision": "cd" * 32,
        "Wasmforge-Caller": "cron@host-1",
        "traceparent": trace,
        "X-Unknown": "not passed on",
    }
    assert (await calls.http.post("/fn/f", content=b"", headers=sent)).status_code == 200
    got = executor.calls[0].headers
    assert 4000 < int(got[headers.TIMEOUT_MS]) <= 5000
    assert got[headers.REVISION] == "cd" * 32
    assert got[headers.CALLER] == "cron@host-1"
    assert got[headers.TRACEPARENT] == trace
    assert got[headers.HEARTBEAT_MS] == "1000"
    assert headers.STREAM not in got
    assert "X-Unknown" not in got


async def test_without_a_timeout_the_executor_decides(calls: Running, executor: Executor) -> None:
    await calls.http.post("/fn/f", content=b"")
    assert headers.TIMEOUT_MS not in executor.calls[0].headers


async def test_a_timeout_above_the_ceiling_is_the_ceiling(calls: Running, executor: Executor) -> None:
    await calls.http.post("/fn/f", content=b"", headers={"Wasmforge-Timeout-Ms": "999999999999"})
    assert executor.calls[0].headers[headers.TIMEOUT_MS] == str(calls.settings.ceilings.timeout_ms)


@pytest.mark.parametrize("value", ["0", "-1", "soon", "1.5", "", "1" * 13, "1e3"])
async def test_a_bad_timeout_is_refused(calls: Running, executor: Executor, value: str) -> None:
    reply = await calls.http.post("/fn/f", content=b"", headers={"Wasmforge-Timeout-Ms": value})
    assert reply.status_code == 400
    assert "whole number of milliseconds" in reply.json()["error"]
    assert not executor.calls


async def test_a_bad_revision_is_not_found_and_a_bad_caller_refused(calls: Running, executor: Executor) -> None:
    reply = await calls.http.post("/fn/f", content=b"", headers={"Wasmforge-Revision": "latest"})
    assert (reply.status_code, reply.json()["error_type"]) == (404, "not_found")
    reply = await calls.http.post("/fn/f", content=b"", headers={"Wasmforge-Caller": "a b"})
    assert (reply.status_code, reply.json()["error_type"]) == (400, "invalid_input")
    assert not executor.calls


async def test_a_trace_that_can_not_be_read_is_left_out(calls: Running, executor: Executor) -> None:
    assert (await calls.http.post("/fn/f", content=b"", headers={"traceparent": "nonsense"})).status_code == 200
    assert headers.TRACEPARENT not in executor.calls[0].headers


@pytest.mark.parametrize(
    "name", ["a.b", "*", "%3E", "a%20b", "-a", "ü", "a" * 65, "a%00b", "a%0d%0aX: y", "..%2f..", "%ff"]
)
async def test_a_name_that_no_plugin_can_have(calls: Running, executor: Executor, name: str) -> None:
    reply = await calls.http.post(f"/fn/{name}", content=b"x")
    assert reply.status_code in (400, 404)
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json()["error_type"] in ("invalid_input", "not_found")
    assert not executor.calls


async def test_other_methods_and_paths_are_problems_too(calls: Running) -> None:
    reply = await calls.http.get("/fn/echo")
    assert reply.status_code == 405
    assert reply.headers["allow"] == "POST"
    assert reply.json()["title"] == "Method Not Allowed"
    reply = await calls.http.post("/fn/a/b")
    assert reply.status_code == 404
    assert reply.headers["content-type"] == "application/problem+json"


async def test_a_body_over_the_limit_is_refused_before_it_is_read(calls: Running, executor: Executor) -> None:
    limit = calls.settings.ceilings.input_bytes
    reader, writer = await asyncio.open_connection("127.0.0.1", calls.port)
    writer.write(b"POST /fn/echo HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (limit + 1))
    head = await reader.readuntil(b"\r\n\r\n")  # not one byte of the body was sent
    assert head.startswith(b"HTTP/1.1 413 ")
    problem = json.loads(await reader.read(4096))
    assert f"{limit + 1:,}" in problem["error"]
    assert f"{limit:,}" in problem["error"]
    writer.close()
    await writer.wait_closed()
    assert not executor.calls


async def test_expect_continue_is_not_continued_for_a_refused_body(calls: Running) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", calls.port)
    writer.write(b"POST /fn/echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 99999999\r\n\r\n")
    assert (await reader.readline()).startswith(b"HTTP/1.1 413 ")
    writer.close()
    await writer.wait_closed()


async def test_a_chunked_body_over_the_limit_is_refused_while_it_comes(calls: Running, executor: Executor) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b"x" * 65536

    reply = await calls.http.post("/fn/echo", content=endless())
    assert reply.status_code == 413
    assert "the limit is 4,194,304 bytes" in reply.json()["error"]
    assert not executor.calls
    # The connection is of use to the next request.
    assert (await calls.http.post("/fn/echo", content=b"next")).text == "next"


async def test_a_chunked_body_within_the_limit(calls: Running, executor: Executor) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield b"0123456789" * 1000

    reply = await calls.http.post("/fn/echo", content=pieces())
    assert reply.content == b"0123456789" * 10_000


async def test_no_executor_is_said_at_once(calls: Running) -> None:
    async with asyncio.timeout(1):
        reply = await calls.http.post("/fn/echo", content=b"x")
    assert reply.status_code == 503
    assert reply.json()["error_type"] == "unavailable"
    assert "no executor is running" in reply.json()["error"]
    assert "retry-after" in reply.headers


async def test_a_client_that_goes_away_while_it_sends_ends_the_request(calls: Running, executor: Executor) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", calls.port)
    writer.write(b"POST /fn/echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf")
    await writer.drain()
    await until(lambda: len(calls.server.server_state.tasks) == 1)
    writer.close()
    await writer.wait_closed()
    await until(lambda: not calls.server.server_state.tasks)
    assert not executor.calls


async def test_a_client_that_goes_away_during_the_call_disturbs_nobody(calls: Running, executor: Executor) -> None:
    answer = asyncio.Event()

    async def slowly(call: Call) -> None:
        await answer.wait()
        await call.reply(b"too late")

    executor.script = slowly
    _, writer = await asyncio.open_connection("127.0.0.1", calls.port)
    writer.write(b"POST /fn/slow HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
    await executor.called.wait()
    writer.close()
    await writer.wait_closed()
    answer.set()
    await until(lambda: not calls.server.server_state.tasks)
    assert calls.gateway.inbox.waiting == 0


async def test_many_at_once_each_get_their_own(calls: Running, executor: Executor) -> None:
    bodies = [f"call {number}".encode() * (number + 1) for number in range(60)]
    replies = await asyncio.gather(*(calls.http.post("/fn/echo", content=body) for body in bodies))
    assert [reply.content for reply in replies] == bodies
    assert len({reply.headers["wasmforge-execution-id"] for reply in replies}) == len(bodies)
    assert calls.gateway.inbox.waiting == 0
