"""The client against a server that fails in every way."""

import pytest

from schemas.errors import (
    Busy,
    ErrorType,
    InvalidInput,
    NotFound,
    RemoteTooLarge,
    RuntimeFault,
    Unavailable,
    WasmForgeError,
)
from schemas.http import Problem
from sdk import client as client_module
from sdk.client import Output, Unreachable, WasmForge
from tests.sdk.scripted import EVENT_STREAM, HANG, answer, answer_json, scripted

CLOSED: list[bytes] = []


@pytest.mark.parametrize("error_type", list(ErrorType))
async def test_every_error_of_a_call_comes_back_as_its_class(error_type: ErrorType) -> None:
    problem = Problem("about:blank", "t", 500, "d", error_type, "what happened", execution_id="e1")
    async with scripted(answer_json("500 Failed", problem)) as server, WasmForge(server.url) as wf:
        with pytest.raises(WasmForgeError, match="what happened") as caught:
            await wf.run("p", "x")
    assert caught.value.error_type == error_type
    assert caught.value.execution_id == "e1"


async def test_busy_says_when_to_come_again() -> None:
    problem = Problem("about:blank", "t", 503, "d", "busy", "full")
    async with (
        scripted(answer_json("503 Service Unavailable", problem, Retry_After="7")) as server,
        WasmForge(server.url) as wf,
    ):
        with pytest.raises(Busy) as caught:
            await wf.run("p")
    assert caught.value.retry_after_seconds == 7
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("status", "error"),
    [
        ("400 Bad Request", InvalidInput),
        ("404 Not Found", NotFound),
        ("413 Too Large", RemoteTooLarge),
        ("422 Unprocessable", InvalidInput),
        ("503 Unavailable", Unavailable),
        ("500 Failed", RuntimeFault),
    ],
)
async def test_a_detail_of_the_api_comes_back_as_a_class(status: str, error: type[WasmForgeError]) -> None:
    async with scripted(answer_json(status, {"detail": "the reason"})) as server, WasmForge(server.url) as wf:
        with pytest.raises(error, match="the reason") as caught:
            await wf.show("p")
    assert type(caught.value) is error


async def test_health_is_told_also_while_something_is_away() -> None:
    health = {
        "status": "degraded", "wasmedge": False, "nats": True, "database": True, "models": True, "executors": 0,
        "problems": ["no executor is running"], "version": "0.1.0",
    }  # fmt: skip
    async with scripted(answer_json("503 Unavailable", health)) as server, WasmForge(server.url) as wf:
        assert (await wf.health()).problems == ["no executor is running"]


async def test_what_a_proxy_says_is_told_as_it_is() -> None:
    async with scripted(answer("502 Bad Gateway", b"<html>")) as server, WasmForge(server.url) as wf:
        with pytest.raises(RuntimeFault, match="answered 502 Bad Gateway"):
            await wf.plugins()


async def test_another_server_is_not_taken_for_wasmforge() -> None:
    async with scripted(answer("200 OK", b"<html>hello")) as server, WasmForge(server.url) as wf:
        for call in (wf.plugins(), wf.run("p"), anext(wf.stream("p"))):
            with pytest.raises(RuntimeFault, match="did not answer as WasmForge does"):
                await call


async def test_a_redirect_is_no_output() -> None:
    async with scripted(answer("302 Found", b"moved", Location="/elsewhere")) as server, WasmForge(server.url) as wf:
        for call in (wf.plugins(), wf.run("p")):
            with pytest.raises(RuntimeFault, match="answered 302 Found"):
                await call


async def test_an_answer_that_is_not_a_stream_is_not_read_as_one() -> None:
    reply = answer("200 OK", b"plain", Content_Type="text/plain", Wasmforge_Execution_Id="e1")
    async with scripted(reply) as server, WasmForge(server.url) as wf:
        with pytest.raises(RuntimeFault, match="does not stream"):
            await anext(wf.stream("p"))


async def test_no_proxy_stands_between_a_machine_and_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    async with scripted(CLOSED) as proxy, scripted(answer_json("200 OK", [])) as server:
        monkeypatch.setenv("http_proxy", proxy.url)
        async with WasmForge(server.url) as wf:
            assert await wf.plugins() == []
    assert proxy.requests == []


async def test_reading_is_tried_again_when_the_connection_breaks() -> None:
    async with scripted(CLOSED, CLOSED, answer_json("200 OK", [])) as server, WasmForge(server.url) as wf:
        assert await wf.plugins() == []
    assert len(server.requests) == 3


async def test_reading_is_given_up_after_three_times() -> None:
    async with scripted(CLOSED) as server, WasmForge(server.url) as wf:
        with pytest.raises(Unreachable, match="broke"):
            await wf.plugins()
    assert len(server.requests) == 3


async def test_a_call_deploy_or_delete_is_never_repeated() -> None:
    async with scripted(CLOSED) as server, WasmForge(server.url) as wf:
        for number, call in enumerate([wf.run("p"), wf.deploy("p", "pass"), wf.delete("p")], 1):
            with pytest.raises(Unreachable):
                await call
            assert len(server.requests) == number


async def test_nobody_at_the_address() -> None:
    async with scripted(CLOSED) as server:
        url = server.url
    async with WasmForge(url) as wf:
        with pytest.raises(Unreachable, match=f"no WasmForge answers at {url}"):
            await wf.run("p")


async def test_a_server_that_says_nothing_is_left_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "_GRACE_SECONDS", 0.1)
    async with scripted([HANG]) as server, WasmForge(server.url) as wf:
        with pytest.raises(Unreachable, match="in time"):
            await wf.run("p", timeout_seconds=0.05)
    assert server.requests[0].headers["wasmforge-timeout-ms"] == "50"


async def test_a_stream_whose_connection_breaks() -> None:
    piece = b'event: output\ndata: "begun"\n\n'
    async with (
        scripted([EVENT_STREAM.replace(b"\r\n\r\n", b"\r\nContent-Length: 999\r\n\r\n"), piece]) as server,
        WasmForge(server.url) as wf,
    ):
        events = wf.stream("p")
        assert await anext(events) == Output(b"begun")
        with pytest.raises(Unreachable, match="broke"):
            await anext(events)


@pytest.mark.parametrize("name", ["", "../health", "a/b", "a b", "p\n", "x" * 65])
async def test_a_name_is_checked_before_it_becomes_a_path(name: str) -> None:
    async with scripted(CLOSED) as server, WasmForge(server.url) as wf:
        for call in (wf.run(name), wf.show(name), wf.delete(name), wf.deploy(name, "pass")):
            with pytest.raises(InvalidInput, match="can't be a plugin's name"):
                await call
    assert server.requests == []


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
async def test_a_time_that_is_none(seconds: float) -> None:
    async with WasmForge() as wf:
        with pytest.raises(InvalidInput, match="more than 0 seconds"):
            await wf.run("p", timeout_seconds=seconds)
