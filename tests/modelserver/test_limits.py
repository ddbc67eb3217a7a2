"""What the model server does with requests that are too long, too many, abandoned or wrong."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from starlette.types import Message

from deploy.modelserver import completion
from deploy.modelserver.admission import Admission
from deploy.modelserver.engine import Piece
from tests.modelserver.running import MODEL

ENDLESS = {"model": MODEL, "prompt": "Write a very long story.", "options": {"temperature": 1, "num_predict": 3000}}


@asynccontextmanager
async def generating(http: httpx.AsyncClient, **more: Any) -> AsyncIterator[AsyncIterator[str]]:
    """A long generation that has begun."""
    async with http.stream("POST", "/api/generate", json=ENDLESS | more) as response:
        assert response.status_code == 200
        lines = response.aiter_lines()
        await anext(lines)
        yield lines


async def short(http: httpx.AsyncClient, patience_seconds: float = 60) -> httpx.Response:
    """A generation of one token."""
    body = {"model": MODEL, "prompt": "Hi", "stream": False, "options": {"num_predict": 1}}
    return await http.post("/api/generate", json=body, timeout=patience_seconds)


async def test_streaming_is_the_default_and_is_ndjson(http: httpx.AsyncClient) -> None:
    body = {"model": MODEL, "prompt": "Hi", "options": {"num_predict": 3}}
    response = await http.post("/api/generate", json=body)
    assert response.headers["content-type"] == "application/x-ndjson"
    lines = [json.loads(line) for line in response.text.splitlines()]
    assert len(lines) > 1
    assert set(lines[0]) == {"model", "created_at", "response", "done"}
    whole = await http.post("/api/generate", json=body | {"stream": False})
    assert whole.headers["content-type"] == "application/json"


async def test_full_slots_and_queue_answer_503_and_a_leaving_client_frees_its_slot(http: httpx.AsyncClient) -> None:
    async with generating(http):
        async with generating(http):
            tasks = [asyncio.create_task(short(http)) for _ in range(3)]
            # Two wait, so one of the three is turned away, and that at once.
            (refused,), waiting = await asyncio.wait(tasks, timeout=10, return_when=asyncio.FIRST_COMPLETED)
            assert refused.result().status_code == 503
            assert refused.result().json() == {
                "error": "server busy, please try again.  maximum pending requests exceeded"
            }
        # The inner client left in the middle of 3,000 tokens.
        async with asyncio.timeout(5):
            assert [(await task).status_code for task in waiting] == [200, 200]


async def test_a_client_that_leaves_the_queue_makes_room(http: httpx.AsyncClient) -> None:
    async with generating(http), generating(http):
        for _ in range(4):
            with pytest.raises(httpx.ReadTimeout):
                await short(http, patience_seconds=0.15)


async def test_a_client_that_leaves_before_the_answer_frees_its_slot(http: httpx.AsyncClient) -> None:
    body = ENDLESS | {"stream": False}
    for _ in range(2):
        with pytest.raises(httpx.ReadTimeout):
            await http.post("/api/generate", json=body, timeout=0.3)
    async with asyncio.timeout(5):
        assert (await short(http)).status_code == 200


async def test_a_prompt_over_the_context_is_cut_or_refused(http: httpx.AsyncClient) -> None:
    body: dict[str, Any] = {
        "model": MODEL,
        "prompt": "word " * 600 + "\nWhat was the last question?",
        "stream": False,
        # By chance a model may also say nothing.
        "options": {"num_predict": 2, "num_ctx": 256, "temperature": 0},
    }
    cut = (await http.post("/api/generate", json=body)).json()
    assert 200 < cut["prompt_eval_count"] <= 254
    assert cut["eval_count"] == 2
    refused = await http.post("/api/generate", json=body | {"truncate": False})
    assert refused.status_code == 400
    assert "exceeds the context length" in refused.json()["error"]


async def test_a_long_chat_loses_its_oldest_messages_first(http: httpx.AsyncClient) -> None:
    old = [{"role": "user", "content": "word " * 100}, {"role": "assistant", "content": "word " * 100}] * 3
    kept = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
    options = {"num_predict": 1, "num_ctx": 256}

    async def prompt_tokens(messages: list[dict[str, str]]) -> int:
        body = {"model": MODEL, "messages": messages, "stream": False, "options": options}
        return int((await http.post("/api/chat", json=body)).json()["prompt_eval_count"])

    shortest = await prompt_tokens(kept)
    cut = await prompt_tokens([kept[0], *old, kept[1]])
    assert shortest < cut < 256


async def test_an_answer_ends_with_the_context(http: httpx.AsyncClient) -> None:
    body = {
        "model": MODEL,
        "prompt": "a b c d",
        "raw": True,
        "stream": False,
        "options": {"num_ctx": 64, "temperature": 2, "seed": 1},
    }
    reply = (await http.post("/api/generate", json=body)).json()
    assert reply["prompt_eval_count"] + reply["eval_count"] <= 64


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        (b"", 400, "missing request body"),
        (b"{", 400, "JSON is malformed|Input data was truncated"),
        (b"[]", 400, "Expected `object`, got `array`"),
        (b"\xff\xfe", 400, "malformed|invalid"),
        (b'{"model": "smollm2:135m", "prompt": 5}', 400, "Expected `str`, got `int` - at `\\$.prompt`"),
        (b'{"prompt": "x"}', 400, "model is required"),
        (b'{"model":"smollm2:135m","prompt":"x","format":"xml"}', 400, "invalid format"),
        (b'{"model":"smollm2:135m","prompt":"x","format":7}', 400, "invalid format"),
        (b'{"model":"smollm2:135m","prompt":"x","format":' + b'{"a":' * 70 + b"1" + b"}" * 71, 400, "nested"),
        (
            b'{"model":"smollm2:135m","prompt":"x","format":' + b"[" * 5000 + b"]" * 5000 + b"}",
            400,
            "nested|recursion|invalid format",
        ),
        (b'{"model":"smollm2:135m","prompt":"x","options":{"temperature":"hot"}}', 400, "invalid options.*temperature"),
        (b'{"model":"smollm2:135m","prompt":"x","options":{"stop":[1]}}', 400, "invalid options.*stop"),
        (b'{"model":"smollm2:135m","prompt":"x","suffix":"y"}', 400, "does not support insert"),
        (b'{"model":"smollm2:135m","prompt":"x","images":["aGk="]}', 400, "does not support images"),
        (b'{"model":"smollm2:135m","prompt":"x","think":true}', 400, "does not support thinking"),
        (b'{"model":"smollm2:135m","prompt":"x","raw":true,"system":"y"}', 400, "raw mode does not support"),
        (b'{"model":"smollm2:135m","prompt":"x","template":"{{ if .System }}"}', 400, "template error"),
        (b'{"model":"smollm2:135m","prompt":"x","context":[99999999]}', 400, "no tokens"),
    ],
)
async def test_a_wrong_generate_request_is_refused(
    http: httpx.AsyncClient, body: bytes, status: int, error: str
) -> None:
    response = await http.post("/api/generate", content=body)
    assert response.status_code == status
    assert re.search(error, response.json()["error"], re.IGNORECASE), response.text


@pytest.mark.parametrize(
    ("path", "body", "error"),
    [
        ("/api/chat", {"messages": [{"role": "wizard", "content": "x"}]}, "wizard"),
        ("/api/chat", {"messages": "x"}, "Expected `array"),
        ("/api/chat", {"messages": [{"role": "user", "content": "x"}], "tools": [{"type": "function"}]}, "tools"),
        ("/api/embed", {"input": ""}, "empty"),
        ("/api/embed", {"input": ["x"] * 1000}, "at most 256"),
        ("/api/embed", {"input": 5}, "Expected `str"),
    ],
)
async def test_other_wrong_requests_are_refused(http: httpx.AsyncClient, path: str, body: Any, error: str) -> None:
    response = await http.post(path, json={"model": MODEL} | body)
    assert response.status_code == 400
    assert error in response.json()["error"]


async def test_a_huge_body_is_refused(http: httpx.AsyncClient) -> None:
    response = await http.post("/api/generate", content=b" " * (5 * 1024 * 1024))
    assert response.status_code == 413
    assert "4,194,304 bytes" in response.json()["error"]


async def test_hostile_options_do_no_harm(http: httpx.AsyncClient) -> None:
    for options in (
        {"top_k": -(2**40), "top_p": -1, "temperature": 1e300},
        {"repeat_last_n": 2**31, "num_keep": 2**40},
        {"seed": 2**63 - 1},
        {"num_ctx": 2**40},
        {"stop": ["", ""]},
    ):
        body = {"model": MODEL, "prompt": "Hi", "stream": False, "options": options | {"num_predict": 2}}
        response = await http.post("/api/generate", json=body)
        assert response.status_code in (200, 400), (options, response.text)
    assert (await short(http)).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "localhost:11434"}, 200),
        ({"Host": "[::1]"}, 200),
        ({"Host": "evil.example"}, 403),
        ({"Host": "localhost.evil.example"}, 403),
        ({"Host": "[not an address"}, 403),
        ({"Origin": "http://localhost:3000"}, 200),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "http://192.0.2.1"}, 403),
        ({"Origin": "null"}, 403),
    ],
)
async def test_web_pages_stay_out(http: httpx.AsyncClient, headers: dict[str, str], status: int) -> None:
    assert (await http.get("/api/tags", headers=headers)).status_code == status


async def test_a_client_that_takes_nothing_frees_its_slot(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completion, "SEND_SECONDS", 0.05)
    admission = Admission(slots=1, queued=0)

    async def pieces() -> AsyncGenerator[Piece, None]:
        yield Piece(
            "x", [1], done=False, reached_limit=False, prompt_tokens=1, output_tokens=1, prompt_ns=1, output_ns=1
        )

    async def prepare() -> completion.Prepared:
        return completion.Prepared([1], pieces())

    async def never(*_: object) -> Any:
        await asyncio.Event().wait()

    form = completion.Form(text=lambda text: {"response": text}, stream=True, constrained=False)
    async with asyncio.timeout(5):
        await completion.Completion(admission, prepare, form)({"type": "http"}, never, never)
    async with admission.slot():
        pass


@pytest.mark.parametrize("speaking", [True, False])
async def test_a_server_that_stops_says_so(speaking: bool) -> None:
    admission = Admission(slots=1, queued=0)
    sent: list[Message] = []

    async def pieces() -> AsyncGenerator[Piece, None]:
        if speaking:
            yield Piece(
                "x", [], done=False, reached_limit=False, prompt_tokens=1, output_tokens=1, prompt_ns=1, output_ns=1
            )
        admission.close()
        await asyncio.Event().wait()

    async def prepare() -> completion.Prepared:
        return completion.Prepared([1], pieces())

    async def receive() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    form = completion.Form(text=lambda text: {"response": text}, stream=True, constrained=False)
    async with asyncio.timeout(5):
        await completion.Completion(admission, prepare, form)({"type": "http"}, receive, send)
    assert sent[0]["status"] == (200 if speaking else 503)
    assert json.loads(sent[-1]["body"]) == {"error": "the server is stopping"}
    assert not sent[-1].get("more_body")


async def test_unknown_paths_and_methods(http: httpx.AsyncClient) -> None:
    assert (await http.get("/")).text == "Ollama is running"
    assert (await http.head("/")).status_code == 200
    assert (await http.get("/api/nosuch")).status_code == 404
    assert (await http.get("/api/generate")).status_code == 405
    assert (await http.post("/api/pull", json={"model": "x"})).status_code == 404
