"""The same promises before the embedded model server and before the stand-in without a model."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from nats.aio.client import Client

from schemas import subjects
from schemas.errors import AIErrorCode, AIFailure
from tests.broker.asking import Caller, serving
from tests.modelserver.running import ModelServer

SHORT = {"temperature": 0, "num_predict": 4}


@pytest.fixture
def servers(embedded: ModelServer, stub: ModelServer) -> dict[str, tuple[ModelServer, str]]:
    """Both servers, each with a model that it has."""
    return {"embedded": (embedded, "smollm2:135m"), "stub": (stub, "qwen2.5:1.5b")}


@pytest.fixture(params=["embedded", "stub"])
async def known(
    request: pytest.FixtureRequest, nc: Client, servers: dict[str, tuple[ModelServer, str]]
) -> AsyncIterator[str]:
    """The model that answers for mistral:latest, with a broker before its server."""
    server, model = servers[request.param]
    async with serving(nc, server.url, environment={"WASMFORGE_MODEL_ALIASES": f"mistral:latest={model}"}):
        yield model


async def test_generate(known: str, caller: Caller) -> None:
    reply = await caller.generate("Say hello.", options=SHORT)
    assert reply.response.strip()
    assert reply.model == "mistral:latest"
    assert reply.answered_by == known
    assert reply.prompt_tokens > 0
    assert reply.output_tokens > 0
    assert reply.duration_us > 0


async def test_models(known: str, caller: Caller) -> None:
    reply = await caller.models()
    assert reply.connected
    assert known in reply.server_models
    mistral = next(model for model in reply.models if model.name == "mistral:latest")
    assert mistral.available
    assert mistral.answered_by == known


async def test_side_by_side(known: str, caller: Caller) -> None:
    replies = await asyncio.gather(*(caller.generate(f"Say {n}.", options=SHORT) for n in range(6)))
    assert all(reply.response and reply.answered_by == known for reply in replies)


@pytest.mark.parametrize("which", ["embedded", "stub"])
async def test_a_model_that_the_server_lacks(
    which: str, nc: Client, caller: Caller, servers: dict[str, tuple[ModelServer, str]]
) -> None:
    server, _ = servers[which]
    async with serving(nc, server.url, environment={"WASMFORGE_MODEL_ALIASES": "mistral:latest=nosuch:1b"}):
        error = await caller.fails_at_once(AIErrorCode.MODEL_NOT_FOUND)
        assert error.message == "the model server does not have 'nosuch:1b': model 'nosuch:1b' not found"


async def test_a_schema_is_followed_by_the_real_model(nc: Client, caller: Caller, embedded: ModelServer) -> None:
    schema = {
        "type": "object",
        "properties": {"n": {"type": "integer"}},
        "required": ["n"],
        "additionalProperties": False,
    }
    async with serving(nc, embedded.url):
        reply = await caller.generate("Choose a number.", format=schema, options={"temperature": 0, "num_predict": 30})
        assert isinstance(json.loads(reply.response)["n"], int)


async def test_a_slow_model_is_a_timeout_and_is_free_again(nc: Client, caller: Caller, embedded: ModelServer) -> None:
    async with serving(nc, embedded.url):
        error = await caller.failure("Write a long story.", timeout_ms=250, options={"num_predict": 3000})
        assert error.code is AIErrorCode.TIMEOUT
        async with asyncio.timeout(20):
            assert (await caller.generate("Hi", options=SHORT)).response


async def test_chat(known: str, caller: Caller) -> None:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Say hello."}]
    reply = await caller.chat(messages, options=SHORT)
    assert reply.message.role == "assistant"
    assert reply.message.content.strip()
    assert reply.answered_by == known
    assert reply.output_tokens > 0


@pytest.mark.parametrize("operation", [subjects.AI_GENERATE, subjects.AI_CHAT])
async def test_a_stream(known: str, caller: Caller, operation: str) -> None:
    async with caller.stream(operation, options={"temperature": 0, "num_predict": 6, "seed": 1}) as stream:
        pieces, body = await stream.rest()
    reply = json.loads(body)
    assert "".join(pieces) == (reply["response"] if "response" in reply else reply["message"]["content"])
    assert reply["answered_by"] == known
    assert reply["output_tokens"] > 0


async def test_the_embedded_model_embeds_and_says_what_it_can(
    nc: Client, caller: Caller, embedded: ModelServer
) -> None:
    async with serving(nc, embedded.url):
        dog, puppy, stocks = (await caller.embed(["a dog", "a puppy", "stock market prices fell"])).embeddings

        def alike(a: list[float], b: list[float]) -> float:
            return sum(x * y for x, y in zip(a, b, strict=True))

        assert len(dog) == 576
        assert alike(dog, puppy) > alike(dog, stocks)
        async with asyncio.timeout(10):
            while not (details := (await caller.models()).details["mistral:latest"]).capabilities:
                pass
        assert (details.capabilities, details.loaded) == (["completion", "embedding"], True)
        assert (details.parameter_size, details.quantization, details.context_length) == ("134.52M", "Q4_1", 8192)
        tool = {"type": "function", "function": {"name": "weather"}}
        with pytest.raises(AIFailure, match="does not support tools"):
            await caller.chat(tools=[tool])


async def test_a_reader_that_goes_stops_the_model(nc: Client, caller: Caller, embedded: ModelServer) -> None:
    endless = {"num_predict": 3000, "temperature": 1}
    async with serving(nc, embedded.url, parallel=4), AsyncExitStack() as streams:
        # It has two slots: more can only be begun because those before were stopped.
        for _ in range(4):
            stream = await streams.enter_async_context(caller.stream(prompt="Write a long story.", options=endless))
            await stream.piece()
            await caller.cancel(stream.inbox)
            assert (await stream.failure()).code is AIErrorCode.CANCELLED
        for _ in range(4):
            async with caller.stream(prompt="Write a long story.", options=endless) as stream:
                await stream.piece()
        async with asyncio.timeout(20):
            assert (await caller.generate("Hi", options=SHORT)).response
