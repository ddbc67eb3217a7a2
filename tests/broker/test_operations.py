"""What each operation asks of a model server and makes of its answer: the same with Ollama's API and OpenAI's."""

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from nats.aio.client import Client

from schemas import subjects
from schemas.ai import ChatReply, GenerateReply
from schemas.errors import AIErrorCode, AIFailure
from tests.broker.asking import Caller, serving
from tests.broker.dialects import PNG, SCHEMA, WEATHER, Dialect, Ollama, OpenAI
from tests.broker.misbehaving import Misbehaving, http, sends


@pytest.fixture(params=[Ollama(), OpenAI()], ids=lambda dialect: dialect.name)
async def dialect(request: pytest.FixtureRequest, nc: Client, server: Misbehaving) -> AsyncIterator[Dialect]:
    """The language that the server speaks, with a broker before it."""
    spoken: Dialect = request.param
    server.tags = sends(spoken.listing("smollm2:135m"))
    environment = {"OLLAMA_URLS": "", spoken.setting: server.url, "WASMFORGE_OPENAI_KEY": "s3cret"}
    async with serving(nc, server.url, environment=environment):
        yield spoken


async def test_generate(dialect: Dialect, caller: Caller, server: Misbehaving) -> None:
    server.generate = sends(dialect.whole("tëxt 🦜"))
    reply = await caller.generate("Hi", system="Be brief.", options={"temperature": 0, "num_predict": 9, "seed": 5})
    assert (reply.response, reply.answered_by) == ("tëxt 🦜", "smollm2:135m")
    assert (reply.prompt_tokens, reply.output_tokens) == (3, 2)
    asked = server.asked[-1]
    assert asked.json["model"] == "smollm2:135m"
    assert asked.json["stream"] is False
    if dialect.name == "ollama":
        assert asked.path == "/api/generate"
        assert asked.json["options"] == {"temperature": 0, "num_predict": 9, "seed": 5}
        assert "authorization" not in asked.headers
    else:
        assert asked.path == "/v1/chat/completions"
        assert dialect.asked_messages(asked) == [("system", "Be brief.", None, []), ("user", "Hi", None, [])]
        assert (asked.json["max_tokens"], asked.json["seed"], asked.json["temperature"]) == (9, 5, 0)
        assert asked.headers["authorization"] == "bearer s3cret"


async def test_a_prompt_with_an_image(dialect: Dialect, caller: Caller, server: Misbehaving) -> None:
    server.generate = sends(dialect.whole("a cat"))
    assert (await caller.generate("What is it?", images=[PNG])).response == "a cat"
    asked = server.asked[-1]
    if dialect.name == "ollama":
        assert asked.json["images"] == [PNG]
    else:
        assert dialect.asked_messages(asked) == [("user", "What is it?", [PNG], [])]


async def test_chat(dialect: Dialect, caller: Caller, server: Misbehaving) -> None:
    server.generate = sends(dialect.whole("fine", chat=True))
    messages = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi", "images": [PNG]},
        {"role": "assistant", "tool_calls": [{"name": "weather", "arguments": {"city": "Rome"}, "id": "7"}]},
        {"role": "tool", "content": "sunny", "tool_name": "weather", "tool_call_id": "7"},
    ]
    reply = await caller.chat(messages)
    assert reply.message.role == "assistant"
    assert (reply.message.content, reply.message.tool_calls, reply.answered_by) == ("fine", None, "smollm2:135m")
    assert (reply.prompt_tokens, reply.output_tokens) == (3, 2)
    asked = server.asked[-1]
    assert dialect.asked_messages(asked) == [
        ("system", "Be brief.", None, []),
        ("user", "Hi", [PNG], []),
        ("assistant", "", None, [("weather", {"city": "Rome"})]),
        ("tool", "sunny", None, []),
    ]
    assert asked.json["messages"][-1].get("tool_name" if dialect.name == "ollama" else "tool_call_id") in (
        "weather",
        "7",
    )


async def test_tools_are_passed_on_and_their_calls_returned(
    dialect: Dialect, caller: Caller, server: Misbehaving
) -> None:
    server.generate = sends(dialect.whole("", chat=True, calls=[("weather", {"city": "Rome"}), ("weather", {})]))
    reply = await caller.chat(tools=[WEATHER], format="json")
    assert server.asked[-1].json["tools"] == [WEATHER]
    calls = reply.message.tool_calls or []
    assert [(call.name, call.arguments) for call in calls] == [("weather", {"city": "Rome"}), ("weather", {})]


async def test_tools_that_are_called_in_a_stream(dialect: Dialect, caller: Caller, server: Misbehaving) -> None:
    server.generate = sends(dialect.head + dialect.call_pieces("weather", {"city": "Rome"}) + dialect.end())
    async with caller.stream(subjects.AI_CHAT, tools=[WEATHER]) as stream:
        pieces, body = await stream.rest()
    (call,) = msgspec.json.decode(body, type=ChatReply).message.tool_calls or []
    assert (pieces, call.name, call.arguments) == ([], "weather", {"city": "Rome"})


@pytest.mark.parametrize("stream", [False, True])
async def test_tokens_that_no_server_counts_are_estimated(
    dialect: Dialect, caller: Caller, server: Misbehaving, stream: bool
) -> None:
    text = "a long answer of forty-two characters all."
    uncounted = b'"eval_count": 0' if dialect.name == "ollama" else b'"completion_tokens": 0'
    counted = uncounted.replace(b"0", b"2")
    if stream:
        answer = dialect.head + b"".join(dialect.piece(word) for word in text) + dialect.end()
    else:
        answer = dialect.whole(text)
    assert answer.count(counted) == 1
    server.generate = sends(answer.replace(counted, uncounted))
    if not stream:
        assert (await caller.generate()).output_tokens == 11
        return
    async with caller.stream() as reading:
        _, body = await reading.rest()
    # What comes at the end without a text may count, too.
    assert len(text) <= msgspec.json.decode(body, type=GenerateReply).output_tokens <= len(text) + 1


async def test_results_find_their_calls(dialect: Dialect, caller: Caller, server: Misbehaving) -> None:
    server.generate = sends(dialect.whole("fine", chat=True))
    await caller.chat(
        [
            {"role": "user", "content": "Hi"},
            {
                "role": "assistant",
                "tool_calls": [{"name": "a"}, {"name": "b"}, {"name": "a"}, {"name": "c", "id": "x"}],
            },
            {"role": "tool", "content": "of b", "tool_name": "b"},
            {"role": "tool", "content": "of c", "tool_call_id": "x"},
            {"role": "tool", "content": "of the first a"},
            {"role": "tool", "content": "of the second a", "tool_name": "a"},
            {"role": "tool", "content": "of nothing", "tool_name": "d"},
        ]
    )
    results = server.asked[-1].json["messages"][2:]
    if dialect.name == "ollama":
        assert [result["tool_name"] for result in results] == ["b", "c", "a", "a", "d"]
    else:
        assert [result["tool_call_id"] for result in results] == ["call_1", "x", "call_0", "call_2", "d"]
        calls = server.asked[-1].json["messages"][1]["tool_calls"]
        assert [call["id"] for call in calls] == ["call_0", "call_1", "call_2", "x"]


async def test_embed(dialect: Dialect, caller: Caller, server: Misbehaving) -> None:
    server.generate = sends(dialect.vectors([[1.0, 0.5], [0.0, -1.0]]))
    reply = await caller.embed(["a", "b"])
    assert reply.embeddings == [[1.0, 0.5], [0.0, -1.0]]
    assert (reply.prompt_tokens, reply.answered_by) == (4, "smollm2:135m")
    assert server.asked[-1].json["input"] == ["a", "b"]
    with pytest.raises(AIFailure, match="2 vectors for 3 texts"):
        await caller.embed(["a", "b", "c"])


async def test_models(dialect: Dialect, caller: Caller, server: Misbehaving) -> None:
    reply = await caller.models()
    assert reply.connected
    assert reply.server_models == ["smollm2:135m"]
    (known,) = reply.servers
    assert (known.url, known.backend, known.connected, known.models) == (
        server.url, dialect.name, True, ["smollm2:135m"],
    )  # fmt: skip
    details = reply.details["mistral:latest"]
    assert (details.size_bytes, details.servers) == (5, [server.url])
    assert details.loaded is (dialect.name == "openai")


async def test_a_stream(dialect: Dialect, caller: Caller, server: Misbehaving) -> None:
    pieces = b"".join(dialect.piece(text) for text in ("Hel", "lo", " 🦜"))
    server.generate = sends(dialect.head + pieces + dialect.end())
    async with caller.stream() as stream:
        got, body = await stream.rest()
    reply = msgspec.json.decode(body, type=GenerateReply)
    assert "".join(got) == reply.response == "Hello 🦜"
    assert (reply.prompt_tokens, reply.output_tokens, reply.answered_by) == (3, 2, "smollm2:135m")
    assert server.asked[-1].json["stream"] is True
    # The connection has come to its end and is used again.
    before = server.connections
    async with caller.stream() as stream:
        await stream.rest()
    assert server.connections == before


async def test_a_format_is_passed_on(dialect: Dialect, caller: Caller, server: Misbehaving) -> None:
    server.generate = sends(dialect.whole('{"a": 1}', chat=True))
    await caller.chat(format=SCHEMA)
    assert dialect.asked_format(server.asked[-1]) == SCHEMA
    await caller.chat(format="json")
    assert dialect.asked_format(server.asked[-1]) == "json"


@pytest.mark.parametrize(
    ("body", "code", "says"),
    [
        (http({"error": {"message": "model 'x' not found"}}, 404), AIErrorCode.MODEL_NOT_FOUND, "model 'x' not found"),
        (http({"error": {"message": "bad\nnews"}}, 400), AIErrorCode.REFUSED, "HTTP 400: bad news"),
        (
            http({"error": "this model does not support tools"}, 400),
            AIErrorCode.NOT_SUPPORTED,
            "does not support tools",
        ),
        (http({"error": {"message": "out of memory"}}), AIErrorCode.REFUSED, "out of memory"),
        (http({"error": 7}), AIErrorCode.REFUSED, "does not say why"),
        (http({}), AIErrorCode.BROKEN_REPLY, "not what"),
        (http({"choices": []}), AIErrorCode.BROKEN_REPLY, ""),
        (http({"response": None, "choices": [{}]}), AIErrorCode.BROKEN_REPLY, ""),
        (http("<html>", 404), AIErrorCode.BROKEN_REPLY, "is this "),
        (http("", 503), AIErrorCode.BUSY, "is busy"),
    ],
)
async def test_failures(
    dialect: Dialect, caller: Caller, server: Misbehaving, body: bytes, code: AIErrorCode, says: str
) -> None:
    server.generate = sends(body)
    error = await caller.fails_at_once(code)
    assert says in error.message
    server.generate = sends(dialect.whole("well again"))
    assert (await caller.generate()).response == "well again"


async def test_arguments_that_are_no_json(nc: Client, caller: Caller, server: Misbehaving) -> None:
    server.tags = sends(OpenAI().listing("smollm2:135m"))
    call: dict[str, Any] = {"function": {"name": "weather", "arguments": "{'city'"}}
    message = {"content": None, "tool_calls": [call]}
    server.generate = sends(http({"choices": [{"message": message, "finish_reason": "tool_calls"}]}))
    async with serving(nc, "", environment={"WASMFORGE_OPENAI_URLS": f"{server.url}/v1"}):
        with pytest.raises(AIFailure, match="arguments that are no JSON object"):
            await caller.chat(tools=[WEATHER])
        assert server.asked[-1].path == "/v1/chat/completions"
