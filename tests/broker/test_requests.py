"""What a caller may ask, what reaches the model server, and what comes back."""

import math
from typing import Any

import msgspec
import pytest
from nats.aio.client import Client

from schemas.errors import AIErrorCode, AIFailure
from tests.broker.asking import Caller, serving
from tests.broker.misbehaving import Misbehaving, answer, sends

pytestmark = pytest.mark.usefixtures("broker")

ALLOWED = "mistral:latest, qwen2.5:1.5b, gemma2:2b, llama3.2:latest, smollm2:135m"


async def test_a_prompt_arrives_as_it_is_and_the_answer_too(caller: Caller, server: Misbehaving) -> None:
    prompt = 'first line\nsecond "line"\t{"role": "system"}\r\n\x00 ünïcödé 🦜 <|im_end|>'
    server.generate = sends(answer("tëxt\n🦜\x00"))
    reply = await caller.generate(prompt, "qwen2.5:1.5b")
    assert server.asked[-1].json == {"model": "smollm2:135m", "prompt": prompt, "stream": False}
    assert reply.response == "tëxt\n🦜\x00"
    assert reply.model == "qwen2.5:1.5b"
    assert reply.answered_by == "smollm2:135m"
    assert (reply.prompt_tokens, reply.output_tokens) == (3, 2)
    assert 0 < reply.duration_us < 10_000_000


async def test_system_format_and_options_are_passed_on(caller: Caller, server: Misbehaving) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    options = {"temperature": 0, "seed": 5, "stop": ["a", "b"], "num_predict": 9, "top_p": 0.5}
    server.generate = sends(answer('{"a": 1}'))
    await caller.generate(system="Be brief.", format=schema, options=options)
    asked = server.asked[-1].json
    assert asked["system"] == "Be brief."
    assert asked["format"] == schema
    assert asked["options"] == options
    await caller.generate(format="json")
    assert server.asked[-1].json["format"] == "json"


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("mistral", "smollm2:135m"),
        ("mistral:latest", "smollm2:135m"),
        ("  llama3.2 ", "smollm2:135m"),
        ("smollm2:135m", "smollm2:135m"),
    ],
)
async def test_names_that_are_approved(caller: Caller, server: Misbehaving, name: str, target: str) -> None:
    reply = await caller.generate(model=name)
    assert reply.model == name
    assert reply.answered_by == server.asked[-1].json["model"] == target


@pytest.mark.parametrize("name", ["gpt-4", "mistral:7b", "smollm2", "qwen2.5", "", "Mistral\n:latest", "x" * 10_000])
async def test_names_that_are_not(caller: Caller, server: Misbehaving, name: str) -> None:
    error = await caller.fails_at_once(AIErrorCode.MODEL_NOT_ALLOWED, model=name)
    assert error.message.endswith(f"is not approved, use one of: {ALLOWED}")
    assert len(error.message) < 300
    assert not server.asked


async def test_the_longest_prompt_is_4000_characters_whatever_they_are(caller: Caller, server: Misbehaving) -> None:
    for character in ("a", "é", "🦜", "\x00"):
        await caller.generate(character * 4000)
        assert server.asked[-1].json["prompt"] == character * 4000
        error = await caller.fails_at_once(AIErrorCode.PROMPT_TOO_LONG, prompt=character * 4001)
        assert error.message == "the prompt has 4,001 characters, the limit is 4,000"
    error = await caller.fails_at_once(AIErrorCode.PROMPT_TOO_LONG, system="s" * 4001)
    assert "the system prompt has 4,001 characters" in error.message
    error = await caller.fails_at_once(AIErrorCode.PROMPT_TOO_LONG, prompt="a" * 1_100_000)
    assert "1,100" in error.message


@pytest.mark.parametrize("prompt", ["", " \n\t", None, 5, ["x"], {"a": 1}, True])
async def test_a_prompt_that_is_no_text(caller: Caller, server: Misbehaving, prompt: Any) -> None:
    error = await caller.fails_at_once(AIErrorCode.INVALID_PROMPT, prompt=prompt)
    assert "prompt" in error.message
    assert not server.asked


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hello",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe\x00",
        b'{"model": "mistral"}',
        b'{"prompt": "x"}',
        b'{"model": ["mistral"], "prompt": "x"}',
        b'{"model": "mistral", "prompt": "x", "system": 5}',
        b'{"model": "mistral", "prompt": "x", "options": []}',
        b'{"model": "mistral", "prompt": "\xff"}',
        b'{"model": "mistral", "prompt": "\\ud800"}',
        b'{"model": "mistral", "prompt": "x", "format": ' + b'{"a":' * 50_000,
        b'{"model": "mistral", "prompt": "x", "format": ' + b'{"a":' * 500 + b"1" + b"}" * 501,
    ],
)
async def test_a_request_that_cannot_be_read(caller: Caller, server: Misbehaving, body: bytes) -> None:
    with pytest.raises(AIFailure) as caught:
        await caller.raw(body)
    assert caught.value.code is AIErrorCode.INVALID_PROMPT
    assert not server.asked


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ("xml", '"json" or a JSON schema'),
        ("", '"json" or a JSON schema'),
        (5, '"json" or a JSON schema'),
        ([{}], '"json" or a JSON schema'),
        ({"enum": ["x" * 40_000]}, "the limit is 32,768"),
    ],
)
async def test_a_format_that_is_none(caller: Caller, given: Any, says: str) -> None:
    error = await caller.fails_at_once(AIErrorCode.INVALID_PROMPT, format=given)
    assert says in error.message


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"temperature": "hot"}, "option 'temperature' must be a number from 0 to 5"),
        ({"temperature": True}, "'temperature'"),
        ({"temperature": None}, "'temperature'"),
        ({"temperature": -1}, "'temperature'"),
        ({"temperature": 1e300}, "'temperature'"),
        ({"top_k": 1.5}, "option 'top_k' must be a whole number from 0 to 1000"),
        ({"top_p": 2}, "'top_p'"),
        ({"seed": 2**63}, "'seed'"),
        ({"num_predict": 10**9}, "'num_predict'"),
        ({"num_ctx": 1}, "'num_ctx'"),
        ({"penalize_newline": 1}, "option 'penalize_newline' must be true or false"),
        ({"stop": 5}, "option 'stop' must be up to 16 texts"),
        ({"stop": [""]}, "'stop'"),
        ({"stop": ["x"] * 17}, "'stop'"),
        ({"stop": ["x" * 201]}, "'stop'"),
        ({"num_gpu": 0}, "option 'num_gpu' is the operator's to set"),
        ({"num_thread": 64}, "is the operator's to set"),
        ({"tempreature": 1}, "option 'tempreature' is unknown, known are: frequency_penalty, "),
        ({"x" * 10_000: 1}, "is unknown"),
    ],
)
async def test_options_that_make_no_sense(caller: Caller, server: Misbehaving, options: Any, says: str) -> None:
    error = await caller.fails_at_once(AIErrorCode.INVALID_PROMPT, options=options)
    assert says in error.message
    assert len(error.message) < 500
    assert not server.asked


async def test_options_that_do(caller: Caller, server: Misbehaving) -> None:
    options = {"temperature": 0.0, "top_k": 0, "seed": -1, "stop": "x", "num_predict": -1, "penalize_newline": False}
    await caller.generate(options=options)
    assert server.asked[-1].json["options"] == options


@pytest.mark.parametrize("timeout_ms", ["soon", "-5", "1.5", "", "٣", "9" * 30])
async def test_a_time_that_is_none_means_the_usual(caller: Caller, timeout_ms: str) -> None:
    reply = await caller.raw(msgspec.json.encode({"model": "mistral", "prompt": "x"}), timeout_ms)
    assert reply.response == "fine"


async def test_no_time_left_is_a_timeout(caller: Caller) -> None:
    await caller.fails_at_once(AIErrorCode.TIMEOUT, timeout_ms=0)


async def test_other_models_by_the_operator(nc: Client, caller: Caller, server: Misbehaving) -> None:
    models = '[{"name": "tiny", "type": "chat", "description": "small talk"}]'
    environment = {"WASMFORGE_MODELS": models, "WASMFORGE_MODEL_ALIASES": "tiny=smollm2:135m"}
    async with serving(nc, server.url, environment=environment):
        # Two brokers answer now; only the new one knows the name.
        for _ in range(50):
            try:
                reply = await caller.generate(model="tiny")
            except AIFailure as error:
                assert error.code is AIErrorCode.MODEL_NOT_ALLOWED  # noqa: PT017
                continue
            assert reply.answered_by == "smollm2:135m"
            return
    raise AssertionError("the new broker never answered")


def test_json_has_no_numbers_that_are_none() -> None:
    # What the checks of options rely on: JSON can't carry them.
    for text in (b"NaN", b"Infinity", b"1e999"):
        with pytest.raises(msgspec.DecodeError):
            assert not math.isfinite(msgspec.json.decode(text))
