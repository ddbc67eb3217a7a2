"""What the web page asks beside the original's routes: drafts, checks, revisions, models, usage."""

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import msgspec
import nats
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from gateway import inbox
from gateway.addresses import without_credentials
from gateway.settings import Settings
from schemas import headers, subjects
from schemas.ai import (
    BudgetState,
    ChatReply,
    ChatRequest,
    Counters,
    Message,
    ModelDetails,
    ModelInfo,
    ModelServer,
    ModelsReply,
    UsageReply,
)
from schemas.errors import AIErrorCode, AIFailure, PluginError
from schemas.messages import Cancel, CheckReply, DraftRun, SourceProblem
from tests.gateway.conftest import Running
from tests.gateway.scripted import Call, Executor, scripted_broker
from tests.gateway.test_openapi import check

STREAM = {"Accept": "text/event-stream"}


def events(text: str) -> list[tuple[str, Any]]:
    """The events of a stream, their data decoded."""
    found = []
    for block in text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
        if "event" in lines:
            found.append((lines["event"], json.loads(lines["data"])))
    return found


async def upload(gateway: Running, source: str, **fields: str) -> httpx.Response:
    files = {"file": ("one.py", source.encode())}
    return await gateway.http.post("/api/plugins/upload", files=files, data=fields)


async def test_a_draft_is_run_with_its_source_input_and_limits(calls: Running, executor: Executor) -> None:
    async def script(call: Call) -> None:
        draft = msgspec.json.decode(call.input, type=DraftRun)
        assert (draft.source, draft.input, draft.limits.timeout_ms) == ("x = 1", b"in\xff", 900)
        await call.event(headers.EVENT_LOG, b"a line\n")
        await call.event(headers.EVENT_OUTPUT, b"out")
        await call.reply()

    executor.script = script
    draft = {"source": "x = 1", "input_base64": base64.b64encode(b"in\xff").decode(), "limits": {"timeout_ms": 900}}
    reply = await calls.http.post("/api/plugins/try", json=draft)
    check(reply, "post", "/api/plugins/try")
    shape = reply.json()
    assert (shape["success"], shape["output"], shape["log"], shape["error"]) == (True, "out", "a line\n", None)
    assert shape["phases_us"]["run"] == 1500

    streamed = await calls.http.post("/api/plugins/try", json=draft, headers=STREAM)
    assert [kind for kind, _ in events(streamed.text)] == ["log", "output", "done"]


async def test_a_draft_that_fails_says_so_in_its_result(calls: Running, executor: Executor) -> None:
    executor.script = lambda call: call.error(PluginError("Traceback…\nValueError: no"))
    reply = await calls.http.post("/api/plugins/try", json={"source": "x"})
    assert reply.status_code == 200
    assert (reply.json()["success"], reply.json()["error_type"]) == (False, "plugin_error")


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"{", 400, "must be JSON"),
        (b"[1]", 400, "/docs shows the shape"),
        (b'{"source": "x", "more": 1}', 400, "unknown field"),
        (b'{"source": "x", "input": "a", "input_base64": ""}', 400, "not both"),
        (b'{"source": "x", "limits": {"timeout_ms": 999999999}}', 400, "at most 600,000"),
        (b'{"source": "x", "limits": {"timeout": 1}}', 400, "unknown field"),
        (json.dumps({"source": "x" * 1_000_001}).encode(), 413, "1,000,000"),
        (json.dumps({"source": "x", "input": "y" * 1_048_577}).encode(), 413, "1,048,576"),
    ],
)
async def test_a_draft_that_can_not_be_read(calls: Running, body: bytes, status: int, words: str) -> None:
    reply = await calls.http.post("/api/plugins/try", content=body)
    assert reply.status_code == status
    assert words in reply.json()["detail"]


async def test_a_check_lists_all_problems(calls: Running, executor: Executor) -> None:
    executor.verdict = CheckReply(False, "bad", 1, 2, [SourceProblem("bad", 1, 2), SourceProblem("odd", 3)])
    reply = await calls.http.post("/api/plugins/check", json={"source": "x ="})
    check(reply, "post", "/api/plugins/check")
    assert [problem["message"] for problem in reply.json()["problems"]] == ["bad", "odd"]
    executor.verdict = CheckReply(False, "bad", 1, 2)
    (problem,) = (await calls.http.post("/api/plugins/check", json={"source": "x ="})).json()["problems"]
    assert (problem["message"], problem["line"], problem["column"]) == ("bad", 1, 2)


async def test_revisions_are_listed_shown_and_gone_back_to(gateway: Running, executor: Executor) -> None:
    first = (await upload(gateway, "v = 1")).json()["revision"]
    second = (await upload(gateway, "v = 2")).json()["revision"]
    listed = await gateway.http.get("/api/plugins/one/revisions")
    check(listed, "get", "/api/plugins/{name}/revisions")
    assert [(line["revision"], line["number"], line["current"]) for line in listed.json()] == [
        (second, 2, True),
        (first, 1, False),
    ]
    shown = await gateway.http.get(f"/api/plugins/one/revisions/{first}")
    check(shown, "get", "/api/plugins/{name}/revisions/{revision}")
    assert (shown.json()["code"], shown.json()["current"]) == ("v = 1", False)
    while not executor.events.empty():
        executor.events.get_nowait()
    back = await gateway.http.post("/api/plugins/one/rollback", json={"revision": first})
    check(back, "post", "/api/plugins/{name}/rollback")
    shown = (await gateway.http.get("/api/plugins/one/code")).json()
    assert (shown["code"], shown["number"]) == ("v = 1", 1)
    assert shown["updated_at"] > listed.json()[0]["created_at"]
    subject, data = await asyncio.wait_for(executor.events.get(), 5)
    assert subject.endswith(".one")
    assert json.loads(data)["digest"] == first
    for path in ("/api/plugins/none/revisions", f"/api/plugins/one/revisions/{'ab' * 32}"):
        assert (await gateway.http.get(path)).status_code == 404
    unknown = await gateway.http.post("/api/plugins/one/rollback", json={"revision": "ab" * 32})
    assert unknown.status_code == 404
    assert (await gateway.http.post("/api/plugins/one/rollback", json={})).status_code == 400


async def test_of_two_tabs_the_second_is_told(gateway: Running, executor: Executor) -> None:
    first = (await upload(gateway, "v = 1", expected_revision="")).json()["revision"]
    late = await upload(gateway, "v = 9", expected_revision="")
    assert late.status_code == 409
    assert first[:12] in late.json()["detail"]
    assert (await upload(gateway, "v = 2", expected_revision=first)).status_code == 200
    assert (await upload(gateway, "v = 3", expected_revision=first)).status_code == 409
    assert (await gateway.http.get("/api/plugins/one/code")).json()["code"] == "v = 2"
    await gateway.http.delete("/api/plugins/one")
    gone = await upload(gateway, "v = 4", expected_revision=first)
    assert (gone.status_code, "deleted" in gone.json()["detail"]) == (409, True)


async def test_two_at_the_same_moment_make_one_plugin(gateway: Running, executor: Executor) -> None:
    replies = await asyncio.gather(*(upload(gateway, f"v = {n}", expected_revision="") for n in range(8)))
    assert sorted(reply.status_code for reply in replies) == [200] + [409] * 7


async def test_the_page_of_models(gateway: Running, own_nats_url: str) -> None:
    answer = ModelsReply(
        [ModelInfo("m:latest", "text", "d", True, "s:1b"), ModelInfo("n:latest", "text", "d", False)],
        "http://a",
        True,
        servers=[ModelServer("http://a", "ollama", True, models=["s:1b"], loaded=["s:1b"], running=1)],
        details={"m:latest": ModelDetails(True, 12, "1B", "Q4", 2048, ["completion"], ["http://a"])},
    )
    async with scripted_broker(own_nats_url, answer):
        async with asyncio.timeout(5):
            while (reply := await gateway.http.get("/api/models")).status_code != 200:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    check(reply, "get", "/api/models")
    first, second = reply.json()["models"]
    assert (first["loaded"], first["capabilities"], second["loaded"], second["size_bytes"]) == (
        True,
        ["completion"],
        False,
        None,
    )


async def test_usage_is_summed_over_all_brokers(calls: Running, own_nats_url: str) -> None:
    budget = BudgetState("plugin", "p", "calls", "minute", 3, 10, 500)

    async with contextlib.AsyncExitStack() as stack:
        for number in (1, 2):
            counters = Counters("m", number, {"busy": number}, output_tokens=10)
            answer = msgspec.json.encode(
                UsageReply(f"b{number}", f"2026-01-0{number}T00:00:00Z", [counters], budgets=[budget][: number - 1])
            )
            client = await stack.enter_async_context(_listening(own_nats_url, subjects.AI_USAGE, answer))
            await client.flush()
        reply = await calls.http.get("/api/ai/usage")
    check(reply, "get", "/api/ai/usage")
    shape = reply.json()
    assert (shape["brokers"], shape["since"]) == (2, "2026-01-01T00:00:00Z")
    (model,) = shape["models"]
    assert (model["requests"], model["refused"], model["output_tokens"]) == (3, {"busy": 3}, 20)
    assert [state["used"] for state in shape["budgets"]] == [3]


async def test_usage_without_a_broker_is_empty(calls: Running) -> None:
    assert (await calls.http.get("/api/ai/usage")).json()["brokers"] == 0


async def test_a_model_is_asked_as_it_comes_or_whole(calls: Running, own_nats_url: str) -> None:
    async def answer(client: Client, msg: Msg) -> None:
        request = msgspec.json.decode(msg.data, type=ChatRequest)
        assert (msg.headers or {})[headers.CALLER] == "playground"
        if (msg.headers or {}).get(headers.STREAM) == "1":
            for piece in ("nä", "ch"):
                encoded = piece.encode()
                for part in (encoded[:2], encoded[2:]):
                    await client.publish(msg.reply, part, headers={headers.EVENT: headers.EVENT_OUTPUT})
        turn = ChatReply(request.model, Message("assistant", "näch"), "real:1b", 3, 2)
        await client.publish(msg.reply, msgspec.json.encode(turn), headers={headers.FINAL: "1"})

    request = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
    async with _broker(own_nats_url, answer):
        whole = await calls.http.post("/api/models/chat", json=request)
        check(whole, "post", "/api/models/chat")
        assert whole.json()["message"]["content"] == "näch"
        found = events((await calls.http.post("/api/models/chat", json=request, headers=STREAM)).text)
    assert "".join(data for kind, data in found if kind == "output") == "näch"
    assert (found[-1][0], found[-1][1]["answered_by"], found[-1][1]["output_tokens"]) == ("done", "real:1b", 2)


async def test_a_model_that_refuses(calls: Running, own_nats_url: str) -> None:
    async def answer(client: Client, msg: Msg) -> None:
        made: dict[str, str] = {}
        headers.put_error(made, AIFailure("not approved", AIErrorCode.MODEL_NOT_ALLOWED))
        await client.publish(msg.reply, b"not approved", headers=made)

    request = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
    async with _broker(own_nats_url, answer):
        for asked in ({}, STREAM):
            reply = await calls.http.post("/api/models/chat", json=request, headers=asked)
            assert (reply.status_code, reply.json()["detail"]) == (502, "not approved")
    nobody = await calls.http.post("/api/models/chat", json=request)
    assert nobody.status_code == 503


async def test_a_broker_that_dies_is_noticed_by_its_silence(
    calls: Running, own_nats_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "SILENCE_SECONDS", 0.4)

    async def answer(client: Client, msg: Msg) -> None:
        beats = 10 if b"thinks long" in msg.data else 1
        for _ in range(beats):
            await client.publish(msg.reply, b"", headers={headers.EVENT: headers.EVENT_HEARTBEAT})
            await asyncio.sleep(0.1)
        if beats > 1:
            turn = ChatReply("m", Message("assistant", "at last"), "real:1b", 3, 2)
            await client.publish(msg.reply, msgspec.json.encode(turn), headers={headers.FINAL: "1"})

    async with _broker(own_nats_url, answer):
        asked = {"model": "m", "messages": [{"role": "user", "content": "thinks long"}]}
        reply = await calls.http.post("/api/models/chat", json=asked)
        assert reply.json()["message"]["content"] == "at last"
        asked["messages"] = [{"role": "user", "content": "dies"}]
        async with asyncio.timeout(5):
            reply = await calls.http.post("/api/models/chat", json=asked)
    assert reply.status_code == 500
    assert "the broker that asked the model is gone" in reply.json()["detail"]


async def test_a_reader_that_goes_away_stops_the_model(calls: Running, own_nats_url: str) -> None:
    asked: asyncio.Queue[str] = asyncio.Queue()
    cancelled: asyncio.Queue[str] = asyncio.Queue()

    async def answer(client: Client, msg: Msg) -> None:
        await asked.put(msg.reply)
        await client.publish(msg.reply, b"x", headers={headers.EVENT: headers.EVENT_OUTPUT})

    async def on_cancel(msg: Msg) -> None:
        await cancelled.put(msgspec.json.decode(msg.data, type=Cancel).reply_to)

    request = {"model": "m", "messages": [{"role": "user", "content": "x"}]}
    async with _broker(own_nats_url, answer) as client:
        await client.subscribe(subjects.AI_CANCEL, cb=on_cancel)
        await client.flush()
        async with calls.http.stream("POST", "/api/models/chat", json=request, headers=STREAM) as reply:
            async for _ in reply.aiter_bytes():
                break
        assert await asyncio.wait_for(cancelled.get(), 5) == await asked.get()


@contextlib.asynccontextmanager
async def _listening(url: str, subject: str, answer: bytes) -> AsyncIterator[Client]:
    client = await nats.connect(url)

    async def on_request(msg: Msg) -> None:
        await msg.respond(answer)

    await client.subscribe(subject, cb=on_request)
    try:
        yield client
    finally:
        await client.close()


@contextlib.asynccontextmanager
async def _broker(url: str, answer: Callable[[Client, Msg], Awaitable[None]]) -> AsyncIterator[Client]:
    client = await nats.connect(url)

    async def on_request(msg: Msg) -> None:
        await answer(client, msg)

    await client.subscribe(subjects.AI_CHAT, queue=subjects.BROKERS, cb=on_request)
    await client.flush()
    try:
        yield client
    finally:
        await client.drain()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, "nats://127.0.0.1:4222"),
        ({"WASMFORGE_NATS": "nats://user:p@ss@one.example:4333,nats://two.example"}, "nats://one.example:4333"),
        ({"WASMFORGE_NATS": "token@one.example"}, "nats://one.example:4222"),
        ({"WASMFORGE_NATS": "tls://[::1]"}, "tls://[::1]:4222"),
        (
            {"WASMFORGE_NATS": "nats://inside:1", "WASMFORGE_PUBLIC_NATS": "wss://k@out.example:443"},
            "wss://out.example:443",
        ),
    ],
)
async def test_clients_are_told_where_nats_is_and_no_secret(given: dict[str, str], told: str) -> None:
    settings = Settings.read(given)
    assert without_credentials(settings.public_nats or settings.nats) == told


async def test_the_platform_says_where_nats_is(calls: Running) -> None:
    reply = await calls.http.get("/api/platform")
    check(reply, "get", "/api/platform")
    assert reply.json() == {"nats": calls.settings.nats}
