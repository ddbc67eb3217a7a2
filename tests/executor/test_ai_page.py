"""The plugins in docs/ai.md, and examples that ask models, run as they stand there with a model that says what fits."""

import json
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest

from schemas import subjects
from schemas.ai import (
    ChatReply,
    ChatRequest,
    EmbedReply,
    EmbedRequest,
    GenerateReply,
    GenerateRequest,
    Message,
    ToolCall,
)
from tests.executor.sandboxed import Bus, Runner

PROJECT = Path(__file__).parents[2]
PAGE = (PROJECT / "docs" / "ai.md").read_text()
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def _said(request: GenerateRequest) -> str:
    """A prompt's answer."""
    if isinstance(request.format, dict):
        (name,) = request.format["properties"]
        return json.dumps({name: {"stars": 7, "verdict": "good"}[name]})
    return f"<{request.prompt.partition(': ')[2] or request.prompt}> is said. And more."


def _turn(request: ChatRequest) -> Message:
    """A conversation's next turn: the first tool is called once, with what it needs."""
    last = request.messages[-1]
    if request.tools and last.role == "user":
        tool = request.tools[0]["function"]
        return Message("assistant", tool_calls=[ToolCall(tool["name"], {"fruit": "pear", "expression": "6*7"})][:1])
    return Message("assistant", f"<{last.content}>")


async def _model(subject: str, body: bytes) -> bytes:
    reply: Any
    if subject == subjects.AI_GENERATE:
        asked = msgspec.json.decode(body, type=GenerateRequest)
        reply = GenerateReply(asked.model, _said(asked), "real", 3, 2)
    elif subject == subjects.AI_CHAT:
        talked = msgspec.json.decode(body, type=ChatRequest)
        reply = ChatReply(talked.model, _turn(talked), "real", 3, 2)
    else:
        texts = msgspec.json.decode(body, type=EmbedRequest).input
        reply = EmbedReply("m", [[float(text.count("rain")), float(text.count("cat"))] for text in texts], "real")
    return msgspec.json.encode(reply)


SAID = [
    ("Hola", "<Hola> is said. And more."),
    ("good", "5"),
    ("sea", "About sea:\n<Write about sea> is said. And more."),
    ("", "<Tell me everything about whales.> is said. And more."),
    ("", "<Hello!>"),
    ("one\ntwo", "<one>\n<two>"),
    ("How much is a pear?", "<0.7>"),
    ("one\ntwo", "<one> is said. And more.\n<two> is said. And more."),
    ("Where does the rain fall?", "It will rain tomorrow."),
    ("hm", "<hm> is said. And more."),
]


def test_each_has_an_expectation() -> None:
    assert len(BLOCKS) == len(SAID)


@pytest.mark.parametrize(("source", "given"), list(zip(BLOCKS, SAID, strict=False)), ids=range(len(BLOCKS)))
async def test_a_plugin_of_the_page(run: Runner, source: str, given: tuple[str, str]) -> None:
    data, said = given
    ran = await run(source, data, bus=Bus(_model))
    assert ran.text == said


def _example(name: str) -> str:
    return (PROJECT / "sdk" / "examples" / f"{name}.py").read_text()


async def test_assistant_calculates_what_the_model_wants_calculated(run: Runner) -> None:
    async def model(subject: str, body: bytes) -> bytes:
        talked = msgspec.json.decode(body, type=ChatRequest)
        last = talked.messages[-1]
        calls = [
            ToolCall("calculate", {"expression": "12.5 / 100 * (1840 + -40)"}),
            ToolCall("calculate", {"expression": "__import__('os')"}),
            ToolCall("calculate", {"expression": "1 / 0"}),
            ToolCall("now", {}),
            ToolCall("delete", {"everything": True}),
        ]
        if last.role == "user":
            return msgspec.json.encode(ChatReply("m", Message("assistant", tool_calls=calls), "m"))
        results = [message.content for message in talked.messages if message.role == "tool"]
        return msgspec.json.encode(ChatReply("m", Message("assistant", json.dumps(results)), "m"))

    number, code, division, time, unknown = (await run(_example("assistant"), "?", bus=Bus(model))).value
    assert (number, code) == ("225", "that can't be calculated: ValueError")
    assert division == "that can't be calculated: ZeroDivisionError"
    assert time.endswith("UTC")
    assert unknown == "there is no such tool: 'delete'"


async def test_search_puts_the_closest_first(run: Runner) -> None:
    text = "\n\n".join(["a cat", "rain and a cat", "rain", *["neither"] * 100])
    found = (await run(_example("search"), f"Does it rain?\n{text}", bus=Bus(_model))).value
    assert [each["paragraph"] for each in found] == ["rain", "rain and a cat", "neither"]
    assert found[0]["score"] == 1
