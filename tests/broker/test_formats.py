"""Answers that have to have a form."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from broker.checker import Checker, checking
from broker.format_worker import Question, Verdict, judge
from schemas.errors import AIErrorCode, AIFailure
from tests.broker.asking import Caller
from tests.broker.dialects import SCHEMA
from tests.broker.misbehaving import Misbehaving, answer, sends

CATASTROPHE = {"type": "string", "pattern": "^(a|a)*$"}
"""Takes some 2**n steps to find that n times ``a`` and a ``b`` do not match."""


def says(*texts: str, **more: Any) -> Any:
    """A server's behaviour: one answer after the other, the last one again and again."""
    left = list(texts)

    async def behave(writer: asyncio.StreamWriter) -> None:
        await sends(answer(left.pop(0) if len(left) > 1 else left[0], **more))(writer)

    return behave


def bomb(levels: int) -> dict[str, Any]:
    """A small schema that takes 2**levels steps."""
    definitions = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(levels)}
    return {"$ref": "#/$defs/d0", "$defs": definitions | {f"d{levels}": {"type": "object"}}}


@pytest.fixture(scope="module")
async def checker() -> AsyncIterator[Checker]:
    """Processes that check."""
    async with checking() as checker:
        yield checker


@pytest.mark.usefixtures("broker")
async def test_an_answer_in_its_form_is_delivered(caller: Caller, server: Misbehaving) -> None:
    server.generate = says('{"a": 1}')
    assert (await caller.generate(format=SCHEMA)).response == '{"a": 1}'
    server.generate = says("[1, 2]")
    assert (await caller.generate(format="json")).response == "[1, 2]"
    assert len(server.asked) == 2


@pytest.mark.usefixtures("broker")
async def test_one_that_is_not_is_asked_for_again_and_not_delivered(caller: Caller, server: Misbehaving) -> None:
    server.generate = says("Sure!", '{"a": 2}')
    reply = await caller.generate(format=SCHEMA, options={"seed": 7, "temperature": 0, "num_predict": 20})
    assert reply.response == '{"a": 2}'
    assert (reply.prompt_tokens, reply.output_tokens) == (6, 4)
    first, second = (asked.json["options"] for asked in server.asked)
    assert first == {"seed": 7, "temperature": 0, "num_predict": 20}
    assert second == {"seed": 8, "temperature": 0.4, "num_predict": 20}, "the same would be answered the same"

    server.generate = says('{"a": "x"}')
    error = await caller.fails_at_once(AIErrorCode.FORMAT_MISMATCH, format=SCHEMA)
    assert error.message == (
        "model mistral:latest did not answer in the format that was asked for, twice: $.a: 'x' is not of type 'integer'"
    )
    assert len(server.asked) == 4
    server.generate = says('{"a":', done_reason="length")
    error = await caller.fails_at_once(AIErrorCode.FORMAT_MISMATCH, format="json")
    assert error.message.endswith("twice: it is not JSON; it was cut off, give num_predict more room")


@pytest.mark.usefixtures("broker")
@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"type": "colour"}, "$.type: 'colour' is not valid under any of the given schemas"),
        ({"required": "a"}, "$.required: 'a' is not of type 'array'"),
        ({"pattern": "(("}, "$.pattern: '((' is not a 'regex'"),
        ({"properties": {"a": 5}}, "$.properties.a: 5 is not of type 'object', 'boolean'"),
    ],
)
async def test_a_schema_that_is_none(caller: Caller, server: Misbehaving, schema: Any, message: str) -> None:
    error = await caller.failure(format=schema)
    assert (error.code, error.message) == (AIErrorCode.INVALID_PROMPT, f"format is not a JSON schema: {message}")
    assert not server.asked


@pytest.mark.usefixtures("broker")
async def test_a_schema_that_refers_elsewhere(caller: Caller, server: Misbehaving) -> None:
    server.generate = says('{"a": 1}')
    for reference in (f"{server.url}/schema.json", "#/$defs/nowhere", "file:///etc/passwd"):
        error = await caller.fails_at_once(AIErrorCode.INVALID_PROMPT, format={"$ref": reference})
        assert (
            error.message == f"format is not a JSON schema: it refers to {reference.lstrip('#')!r}, which is not in it"
        )
    assert {asked.path for asked in server.asked} == {"/api/generate"}


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        (CATASTROPHE, json.dumps("a" * 40 + "b")),
        (bomb(30), "{}"),
        ({"type": "array", "uniqueItems": True}, json.dumps([{"n": n} for n in range(100_000)])),
    ],
    ids=["a pattern", "references", "comparisons"],
)
async def test_what_takes_for_ever_is_ended_and_the_next_is_checked(checker: Checker, schema: Any, text: str) -> None:
    with pytest.raises(AIFailure) as caught:
        await checker.problem(schema, text)
    assert caught.value.code is AIErrorCode.INVALID_PROMPT
    assert caught.value.message == "format is a schema that takes more than 1 s to check"
    assert await checker.problem(SCHEMA, '{"a": 1}') is None


async def test_schemas_that_take_for_ever_hold_up_nobody_else(checker: Checker) -> None:
    await asyncio.gather(*(checker.problem(SCHEMA, "{}", whose) for whose in "ab"))  # both processes run
    text = json.dumps("a" * 40 + "b")
    endless = [asyncio.create_task(checker.problem(CATASTROPHE, text, "hostile")) for _ in range(4)]
    await asyncio.sleep(0)
    assert await checker.problem(SCHEMA, '{"a": 1}', "another") is None
    assert not any(each.done() for each in endless)
    for each in endless:
        each.cancel()
    await asyncio.wait(endless)
    assert not checker._turns


async def test_what_is_left_while_it_is_checked_leaves_nothing_behind(checker: Checker) -> None:
    checking = [asyncio.create_task(checker.problem(SCHEMA, json.dumps({"a": n}))) for n in range(20)]
    await asyncio.sleep(0)
    for each in checking[::2]:
        each.cancel()
    found = await asyncio.gather(*checking, return_exceptions=True)
    assert found[1::2] == [None] * 10
    assert await checker.problem(SCHEMA, '{"a": "x"}') == "$.a: 'x' is not of type 'integer'"


@pytest.mark.parametrize(
    ("schema", "text", "verdict"),
    [
        ({}, "{", Verdict(text="it is not JSON")),
        ({}, "[" * 100_000, Verdict(text="it is not JSON")),
        ({}, "1" * 10_000, Verdict(text="it is not JSON")),
        ({"$ref": "#"}, "{}", Verdict(schema="it refers to itself without end, or asks for what is nested too deep")),
        ({"type": "object"}, "[]", Verdict(text="[] is not of type 'object'")),
        ({"maxLength": 3}, json.dumps("x" * 10_000), Verdict(text=f"'{'x' * 239}")),
        ({"$schema": "http://json-schema.org/draft-07/schema#", "type": "null"}, "null", Verdict()),
        ({"$schema": "http://nowhere.invalid/", "type": "null"}, "null", Verdict()),
    ],
)
def test_judgements(schema: Any, text: str, verdict: Verdict) -> None:
    assert judge(Question(schema, text)) == verdict
