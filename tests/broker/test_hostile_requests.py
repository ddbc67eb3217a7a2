"""Conversations, tools, images and texts to embed that no model should get: refused with words, no server asked."""

import base64
from typing import Any

import pytest

from broker.ticket import Origin
from schemas import headers, subjects
from schemas.errors import AIErrorCode, AIFailure
from schemas.names import DRAFT
from tests.broker.asking import Caller
from tests.broker.dialects import PNG, WEATHER
from tests.broker.misbehaving import Misbehaving, http, sends

pytestmark = pytest.mark.usefixtures("broker")

INVALID, LONG = AIErrorCode.INVALID_PROMPT, AIErrorCode.PROMPT_TOO_LONG


def says(content: Any = "Hi", role: Any = "user", **more: Any) -> dict[str, Any]:
    """A message."""
    return {"role": role, "content": content} | more


def tool(**function: Any) -> dict[str, Any]:
    """A tool."""
    return {"type": "function", "function": {"name": "f"} | function}


def deep(levels: int) -> Any:
    """Something nested."""
    value: Any = 1
    for _ in range(levels):
        value = {"a": value}
    return value


@pytest.mark.parametrize(
    ("request_", "code", "says_"),
    [
        ({"messages": []}, INVALID, "there are no messages"),
        ({"messages": 5}, INVALID, "can't be read"),
        ({"messages": [says(role="root")]}, INVALID, "can't be read"),
        ({"messages": [says(5)]}, INVALID, "can't be read"),
        ({"messages": [says("  ")]}, INVALID, "the messages are empty"),
        ({"messages": [says()] * 101}, INVALID, "there are 101 messages, the limit is 100"),
        ({"messages": [says("x" * 16_001)]}, LONG, "the message has 16,001 characters, the limit is 16,000"),
        ({"messages": [says("x" * 9_000)] * 2}, LONG, "the conversation has 18,000 characters, the limit is 16,000"),
        ({"messages": [says("x" * 4_001, "system"), says()]}, LONG, "the system prompt has 4,001"),
        ({"messages": [says(tool_calls=[{"name": "f"}])]}, INVALID, "only a message with the role 'assistant'"),
        ({"messages": [says(tool_name="f")]}, INVALID, "only a message with the role 'tool'"),
        ({"messages": [says("x", "tool", tool_call_id="x" * 201)]}, LONG, "has 201 characters"),
        ({"messages": [says("", "assistant", tool_calls=[{"name": "f"}] * 33)]}, INVALID, "calls 33 tools"),
        ({"messages": [says("", "assistant", tool_calls=[{"name": "a b"}])]}, INVALID, "'a b' can't be a tool's name"),
        (
            {"messages": [says("", "assistant", tool_calls=[{"name": "f", "arguments": deep(40)}])]},
            INVALID, "a tool is called with arguments that are nested more than 32 deep",
        ),
        (
            {"messages": [says("", "assistant", tool_calls=[{"name": "f", "arguments": {"a": "x" * 9000}}])] * 2},
            LONG, "the conversation has",
        ),
        ({"tools": [WEATHER] * 33}, INVALID, "there are 33 tools, the limit is 32"),
        ({"tools": [WEATHER] * 2}, INVALID, "two tools are called 'weather'"),
        ({"tools": [5]}, INVALID, "can't be read"),
        ({"tools": [{}]}, INVALID, "a tool must look like"),
        ({"tools": [tool(name=5)]}, INVALID, "a tool must look like"),
        ({"tools": [tool(parameters=[])]}, INVALID, "a tool must look like"),
        ({"tools": [tool(description=5)]}, INVALID, "a tool must look like"),
        ({"tools": [tool(name="x" * 65)]}, INVALID, "can't be a tool's name"),
        ({"tools": [tool(parameters=deep(40))]}, INVALID, "tools are given that are nested more than 32 deep"),
        ({"tools": [tool(description="x" * 40_000)]}, INVALID, "tools are given that are of 40,"),
        ({"messages": [says(images=["!!!"])]}, INVALID, "an image is not base64"),
        ({"messages": [says(images=["é"])]}, INVALID, "an image is not base64"),
        ({"messages": [says(images=[base64.b64encode(b"<svg>").decode()])]}, INVALID, "give PNG, JPEG, GIF or WebP"),
        ({"messages": [says(images=[PNG] * 5)]}, INVALID, "there are 5 images, the limit is 4"),
        ({"messages": [says(images=[PNG] * 3)] * 2}, INVALID, "there are 6 images"),
        ({"messages": [says(images=["A" * 4_400_000])]}, INVALID, "the images have 3,300,000 bytes, the limit"),
        ({"format": "xml"}, INVALID, "format must be"),
        ({"options": {"num_gpu": 1}}, INVALID, "the operator's"),
        ({"model": "gpt-4"}, AIErrorCode.MODEL_NOT_ALLOWED, "not approved"),
    ],
)  # fmt: skip
async def test_a_conversation(
    caller: Caller, server: Misbehaving, request_: dict[str, Any], code: AIErrorCode, says_: str
) -> None:
    with pytest.raises(AIFailure) as caught:
        await caller.chat(**({"messages": [says()]} | request_))
    assert (caught.value.code, says_ in caught.value.message) == (code, True), caught.value
    assert len(caught.value.message) < 400
    assert not server.asked


@pytest.mark.parametrize(
    ("texts", "code", "says_"),
    [
        ([], INVALID, "there are no texts"),
        ("text", INVALID, "can't be read"),
        ([5], INVALID, "can't be read"),
        (["a", " "], INVALID, "a text is empty"),
        (["a"] * 65, INVALID, "there are 65 texts, the limit is 64 at once"),
        (["a" * 4_001], LONG, "the text has 4,001 characters"),
        (["a" * 4_000] * 17, LONG, "the request has 68,000 characters, the limit is 64,000"),
    ],
)
async def test_texts_to_embed(caller: Caller, server: Misbehaving, texts: Any, code: AIErrorCode, says_: str) -> None:
    with pytest.raises(AIFailure) as caught:
        await caller.embed(texts)
    assert (caught.value.code, says_ in caught.value.message) == (code, True), caught.value
    assert not server.asked


async def test_the_most_that_fits_is_passed_on(caller: Caller, server: Misbehaving) -> None:
    server.generate = sends(http({"message": {"content": "fine"}, "done": True}))
    image = base64.b64encode(b"\xff\xd8\xff" + b"\0" * 3_000_000).decode()
    await caller.chat([says("x" * 15_000), says("y" * 1_000, images=[image])])
    assert server.asked[-1].json["messages"][1]["images"] == [image]


@pytest.mark.parametrize("operation", [subjects.AI_GENERATE, subjects.AI_CHAT, subjects.AI_EMBED])
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b"{}", b'{"model": 5}', b"[" * 100_000])
async def test_what_is_no_request(caller: Caller, server: Misbehaving, operation: str, body: bytes) -> None:
    reply = await caller.nc.request(operation, body, timeout=5)
    error = headers.get_error(reply.headers, reply.data)
    assert isinstance(error, AIFailure)
    assert error.code is INVALID
    assert not server.asked


@pytest.mark.parametrize("answer", [{"message": {}}, {"message": 5}, {"message": {"tool_calls": [{"function": 5}]}}])
async def test_a_conversation_answered_with_nonsense(caller: Caller, server: Misbehaving, answer: Any) -> None:
    server.generate = sends(http(answer))
    with pytest.raises(AIFailure) as caught:
        await caller.chat()
    assert caught.value.code is AIErrorCode.BROKEN_REPLY


@pytest.mark.parametrize(
    "answer", [{}, {"embeddings": []}, {"embeddings": [["x"]]}, {"embeddings": [1]}, {"embeddings": [[1.0]] * 9}]
)
async def test_texts_embedded_as_nonsense(caller: Caller, server: Misbehaving, answer: Any) -> None:
    server.generate = sends(http(answer))
    with pytest.raises(AIFailure) as caught:
        await caller.embed(["a", "b"])
    assert caught.value.code is AIErrorCode.BROKEN_REPLY


async def test_vectors_too_large_for_nats(caller: Caller, server: Misbehaving) -> None:
    server.generate = sends(http({"embeddings": [[0.12345678901234567] * 20_000] * 18}))
    with pytest.raises(AIFailure, match="more than 7,340,032 bytes"):
        await caller.embed(["a"] * 18)


@pytest.mark.parametrize(
    ("plugin", "known"), [("summarize", "summarize"), (DRAFT, DRAFT), ("a.b", ""), ("*", ""), ("x" * 99, ""), ("", "")]
)
def test_for_whom_it_is(plugin: str, known: str) -> None:
    given = {headers.PLUGIN: plugin, headers.CALLER: "c" * 999, headers.EXECUTION_ID: "e" * 999}
    origin = Origin.read(given)
    assert (origin.plugin, len(origin.caller), len(origin.execution_id)) == (known, 200, 80)
