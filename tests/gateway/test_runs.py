"""``POST /api/plugins/run``: the original's way to call, whatever form it comes in."""

import asyncio
import time
from urllib.parse import quote

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
from tests.gateway.conftest import Running
from tests.gateway.scripted import Call, Executor

RUN = "/api/plugins/run"


async def test_the_original_shape(calls: Running, executor: Executor) -> None:
    reply = await calls.http.post(RUN, data={"plugin_name": "echo", "input_data": "a & b = c + d\nünd\n"})
    assert reply.status_code == 200, reply.text
    assert reply.json() == {
        "success": True,
        "output": "a & b = c + d\nünd\n",
        "error": None,
        "error_type": None,
        "execution_id": executor.calls[0].headers[headers.EXECUTION_ID],
        "phases_us": {"run": 1500, "restore": 200},
    }


async def test_multipart_works_as_well(calls: Running, executor: Executor) -> None:
    files = {"plugin_name": (None, "echo"), "input_data": (None, "two\r\nlines")}
    reply = await calls.http.post(RUN, files=files)
    assert (reply.status_code, reply.json()["output"]) == (200, "two\r\nlines")
    reply = await calls.http.post(RUN, data={"plugin_name": "echo"}, files={"input_data": ("a.txt", b"a file")})
    assert (reply.status_code, reply.json()["output"]) == (200, "a file")


async def test_input_that_is_no_text_reaches_the_plugin_as_it_is(calls: Running, executor: Executor) -> None:
    body = b"plugin_name=echo&input_data=" + quote(bytes(range(256))).encode()
    reply = await calls.http.post(RUN, content=body, headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert reply.status_code == 200, reply.text
    assert executor.calls[0].input == bytes(range(256))
    assert "\ufffd" in reply.json()["output"]


@pytest.mark.parametrize("form", [{"plugin_name": "echo"}, {"plugin_name": "echo", "input_data": ""}])
async def test_no_input_is_an_empty_one(calls: Running, executor: Executor, form: dict[str, str]) -> None:
    reply = await calls.http.post(RUN, data=form)
    assert (reply.status_code, reply.json()["output"]) == (200, "")


@pytest.mark.parametrize(
    "error",
    [
        PluginError("Traceback\nValueError"),
        SandboxViolation("s"),
        OutOfMemory("m"),
        OutputTooLarge("o"),
        DeadlineExceeded("t"),
        AIFailure("a", AIErrorCode.TIMEOUT),
        InvalidInput("i"),
        TooLarge("x", size_bytes=2, limit_bytes=1),
        RuntimeFault("r"),
    ],
    ids=lambda error: str(error.error_type),
)
async def test_every_outcome_of_a_plugin_is_200(calls: Running, executor: Executor, error: WasmForgeError) -> None:
    async def fail(call: Call) -> None:
        await call.error(error)

    executor.script = fail
    reply = await calls.http.post(RUN, data={"plugin_name": "f", "input_data": ""})
    assert reply.status_code == 200, reply.text
    result = reply.json()
    assert (result["success"], result["output"]) == (False, "")
    assert (result["error"], result["error_type"]) == (error.message, str(error.error_type))
    assert "detail" not in result


@pytest.mark.parametrize("error", [Busy("full", retry_after_seconds=4), Unavailable("away")], ids=["busy", "away"])
async def test_busy_and_away_are_503(calls: Running, executor: Executor, error: WasmForgeError) -> None:
    async def fail(call: Call) -> None:
        await call.error(error)

    executor.script = fail
    reply = await calls.http.post(RUN, data={"plugin_name": "f", "input_data": ""})
    assert reply.status_code == 503
    assert reply.headers["retry-after"] == str(error.retry_after_seconds)
    result = reply.json()
    assert result["success"] is False
    assert result["error_type"] == str(error.error_type)
    assert result["detail"] == result["error"] == error.message


async def test_no_executor(calls: Running) -> None:
    async with asyncio.timeout(1):
        reply = await calls.http.post(RUN, data={"plugin_name": "f", "input_data": ""})
    assert reply.status_code == 503
    assert "no executor is running" in reply.json()["detail"]


async def test_an_unknown_plugin(calls: Running, executor: Executor) -> None:
    async def fail(call: Call) -> None:
        await call.error(NotFound("no plugin f"))

    executor.script = fail
    reply = await calls.http.post(RUN, data={"plugin_name": "f", "input_data": ""})
    assert (reply.status_code, reply.json()) == (404, {"detail": "no plugin f"})


@pytest.mark.parametrize("name", ["", "a b", "a.b", "*", "ü", "a" * 65, "../x"])
async def test_a_name_that_no_plugin_can_have(calls: Running, executor: Executor, name: str) -> None:
    reply = await calls.http.post(RUN, data={"plugin_name": name, "input_data": ""})
    assert reply.status_code == 404
    assert list(reply.json()) == ["detail"]
    assert not executor.calls


async def test_a_missing_name_and_bodies_that_are_no_form(calls: Running, executor: Executor) -> None:
    reply = await calls.http.post(RUN, data={"input_data": "x"})
    assert (reply.status_code, reply.json()) == (422, {"detail": "the form field plugin_name is missing"})
    for content_type in ("application/json", "text/plain", "", "multipart/form-data"):
        reply = await calls.http.post(RUN, content=b'{"plugin_name": "f"}', headers={"Content-Type": content_type})
        assert reply.status_code == 400, content_type
        assert list(reply.json()) == ["detail"]
    assert not executor.calls


async def test_input_over_the_limit(calls: Running, executor: Executor) -> None:
    limit = calls.settings.ceilings.input_bytes
    reply = await calls.http.post(RUN, data={"plugin_name": "f", "input_data": "x" * (limit + 1)})
    assert reply.status_code == 413
    result = reply.json()
    assert (result["success"], result["error_type"]) == (False, "too_large")
    assert f"{limit + 1:,}" in result["detail"]
    assert f"{limit:,}" in result["detail"]
    reply = await calls.http.post(RUN, data={"plugin_name": "f", "input_data": "x" * (3 * limit + 100_000)})
    assert reply.status_code == 413
    assert "The form is" in reply.json()["detail"]
    assert not executor.calls


async def test_as_much_as_may_be_even_urlencoded(calls: Running, executor: Executor) -> None:
    limit = calls.settings.ceilings.input_bytes
    body = b"plugin_name=f&input_data=" + b"%0A" * limit
    sending = asyncio.create_task(
        calls.http.post(RUN, content=body, headers={"Content-Type": "application/x-www-form-urlencoded"})
    )
    # Decoding takes its time; meanwhile others are served.
    gaps = []
    while not sending.done():
        started = time.perf_counter()
        assert (await calls.http.get("/openapi.json")).status_code == 200
        gaps.append(time.perf_counter() - started)
    reply = await sending
    assert reply.status_code == 200, reply.text
    assert executor.calls[0].input == b"\n" * limit
    # Were it decoded between others' turns, one of these would have waited for most of it.
    assert max(gaps) < sum(gaps) / 2
