"""The official ``ollama`` client against the embedded model server."""

import asyncio
import json

import ollama
import pytest

from tests.modelserver.running import MODEL

SHORT = {"temperature": 0, "num_predict": 6}
SCHEMA = {
    "type": "object",
    "properties": {"age": {"type": "integer"}},
    "required": ["age"],
    "additionalProperties": False,
}


async def test_list_show_and_ps_describe_the_model(client: ollama.AsyncClient) -> None:
    (listed,) = (await client.list()).models
    assert listed.model == MODEL
    assert listed.size == 98_362_432
    assert listed.digest == "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
    assert listed.modified_at is not None

    shown = await client.show(MODEL)
    assert shown.capabilities == ["completion", "embedding"]
    assert "{{ .Prompt }}" in (shown.template or "")
    assert shown.modelinfo is not None
    assert shown.modelinfo["llama.embedding_length"] == 576

    (running,) = (await client.ps()).models
    assert running.name == MODEL
    assert running.context_length == 4096
    assert running.expires_at is not None


async def test_generate_answers_with_text_and_counts(client: ollama.AsyncClient) -> None:
    reply = await client.generate(MODEL, "Say hello.", options=SHORT)
    assert reply.response
    assert reply.model == MODEL
    assert reply.done is True
    assert reply.done_reason == "length"
    assert reply.eval_count == 6
    assert (reply.prompt_eval_count or 0) > 10
    assert (reply.created_at or "").endswith("Z")
    for duration in (reply.total_duration, reply.prompt_eval_duration, reply.eval_duration):
        assert duration is not None
        assert 100_000 < duration < 60_000_000_000
    assert 0 < (reply.load_duration or 0) < (reply.total_duration or 0)
    assert len(reply.context or ()) == reply.prompt_eval_count + reply.eval_count


async def test_a_stream_comes_piece_by_piece_and_says_the_same(client: ollama.AsyncClient) -> None:
    whole = await client.generate(MODEL, "Say hello.", options=SHORT | {"seed": 1})
    pieces = [
        piece async for piece in await client.generate(MODEL, "Say hello.", options=SHORT | {"seed": 1}, stream=True)
    ]
    assert len(pieces) > 3
    assert "".join(piece.response or "" for piece in pieces) == whole.response
    assert [piece.done for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    assert pieces[-1].eval_count == 6
    assert pieces[0].eval_count is None


async def test_a_chat_and_its_stream(client: ollama.AsyncClient) -> None:
    messages = [
        {"role": "system", "content": "You are a parrot."},
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello!"},
        {"role": "user", "content": "What are you?"},
    ]
    whole = await client.chat(MODEL, messages, options=SHORT | {"seed": 1})
    assert whole.message.role == "assistant"
    assert whole.message.content
    pieces = [piece async for piece in await client.chat(MODEL, messages, options=SHORT | {"seed": 1}, stream=True)]
    assert "".join(piece.message.content or "" for piece in pieces) == whole.message.content
    assert pieces[-1].done_reason == "length"


async def test_a_schema_is_followed(client: ollama.AsyncClient) -> None:
    reply = await client.generate(
        MODEL, "Anna is 22 years old. Answer in JSON.", format=SCHEMA, options={"temperature": 0, "num_predict": 40}
    )
    assert reply.done_reason == "stop"
    assert isinstance(json.loads(reply.response)["age"], int)


async def test_json_is_an_object(client: ollama.AsyncClient) -> None:
    chat = [{"role": "user", "content": "Answer with an empty JSON object."}]
    reply = await client.chat(MODEL, chat, format="json", options={"temperature": 0, "num_predict": 60})
    if reply.done_reason == "stop":
        assert isinstance(json.loads(reply.message.content or ""), dict)
    else:
        assert (reply.message.content or "").lstrip().startswith("{")


@pytest.mark.parametrize("schema", [{"type": "nonsense"}, {"$ref": "http://127.0.0.1:1/schema.json"}])
@pytest.mark.parametrize("stream", [False, True])
async def test_a_schema_that_cannot_be_used_is_an_error(client: ollama.AsyncClient, schema: dict, stream: bool) -> None:
    async def ask() -> None:
        reply = await client.generate(MODEL, "Hi", format=schema, stream=stream, options={"temperature": 0})
        if stream:
            assert [piece async for piece in reply]

    with pytest.raises(ollama.ResponseError, match="invalid JSON schema in format"):
        await ask()


async def test_the_same_seed_gives_the_same_text(client: ollama.AsyncClient) -> None:
    options = {"temperature": 1.5, "num_predict": 12, "seed": 7}
    texts = [(await client.generate(MODEL, "Tell a story.", options=options)).response for _ in range(2)]
    assert texts[0] == texts[1]
    other = await client.generate(MODEL, "Tell a story.", options=options | {"seed": 8})
    assert other.response != texts[0]


async def test_stop_ends_the_text_before_the_word(client: ollama.AsyncClient) -> None:
    options = {"temperature": 0, "num_predict": 20, "seed": 1}
    free = await client.generate(MODEL, "Count: one two three", options=options)
    word = free.response.split()[2]
    reply = await client.generate(MODEL, "Count: one two three", options=options | {"stop": [word]})
    assert word not in reply.response
    assert free.response.startswith(reply.response)
    assert reply.done_reason == "stop"


async def test_raw_template_system_and_context(client: ollama.AsyncClient) -> None:
    raw = await client.generate(MODEL, "The capital of France is", raw=True, options=SHORT)
    assert "Paris" in raw.response
    assert raw.context is None
    filled = await client.generate(MODEL, "of France", template="The capital {{ .Prompt }} is", options=SHORT)
    assert filled.response == raw.response
    bare = await client.generate(MODEL, "Hi", options=SHORT)
    with_system = await client.generate(MODEL, "Hi", system="You are a pirate and swear a lot.", options=SHORT)
    assert with_system.prompt_eval_count != bare.prompt_eval_count
    after = await client.generate(MODEL, "Again", context=bare.context, options=SHORT)
    assert after.prompt_eval_count > len(bare.context or ())


async def test_embeddings_are_unit_vectors_and_tell_texts_apart(client: ollama.AsyncClient) -> None:
    reply = await client.embed(MODEL, ["a dog", "a puppy", "stock market prices fell", "word " * 700])
    assert [len(vector) for vector in reply.embeddings] == [576] * 4
    dog, puppy, stocks, _ = reply.embeddings
    assert sum(x * x for x in dog) == pytest.approx(1, abs=1e-3)
    assert sum(a * b for a, b in zip(dog, puppy, strict=True)) > sum(a * b for a, b in zip(dog, stocks, strict=True))
    assert (reply.prompt_eval_count or 0) > 512
    one = await client.embed(MODEL, "a dog")
    assert list(one.embeddings[0]) == pytest.approx(list(dog), abs=0.01)
    old = await client.embeddings(MODEL, "a dog")
    assert list(old.embedding) == pytest.approx(list(dog), abs=0.01)
    with pytest.raises(ollama.ResponseError, match="exceeds the context length"):
        await client.embed(MODEL, "word " * 2000, truncate=False)


@pytest.mark.parametrize("name", ["nosuch", "smollm2", "smollm2:latest", "../etc/passwd"])
async def test_an_unknown_model_is_404(client: ollama.AsyncClient, name: str) -> None:
    for call in (
        client.generate(name, "Hi"),
        client.chat(name, [{"role": "user", "content": "Hi"}]),
        client.embed(name, "Hi"),
        client.show(name),
    ):
        with pytest.raises(ollama.ResponseError) as caught:
            await call
        assert caught.value.status_code == 404
        assert caught.value.error == f"model '{name}' not found"


async def test_loading_and_unloading_answer_at_once(client: ollama.AsyncClient) -> None:
    assert (await client.generate(MODEL, "")).done_reason == "load"
    assert (await client.generate(MODEL, "", keep_alive=0)).done_reason == "unload"
    assert (await client.chat(MODEL, [])).done_reason == "load"


async def test_calls_run_side_by_side(client: ollama.AsyncClient) -> None:
    replies = await asyncio.gather(
        *(client.generate(MODEL, f"Say the number {n}.", options=SHORT, keep_alive="5m") for n in range(4))
    )
    assert all(reply.response and reply.eval_count == 6 for reply in replies)


async def test_a_conversation_with_results_of_tools_goes_on(client: ollama.AsyncClient) -> None:
    call = ollama.Message.ToolCall(
        function=ollama.Message.ToolCall.Function(name="weather", arguments={"city": "Rome"})
    )
    messages = [
        ollama.Message(role="user", content="How is the weather in Rome?"),
        ollama.Message(role="assistant", tool_calls=[call]),
        ollama.Message(role="tool", content="sunny", tool_name="weather"),
    ]
    reply = await client.chat(MODEL, messages, options=SHORT)
    assert reply.message.content
    # Results are read; tools themselves the model does not know how to call.
    with_result = reply.prompt_eval_count or 0
    without = await client.chat(MODEL, messages[:1], options=SHORT)
    assert with_result > (without.prompt_eval_count or 0)
    tool = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}
    with pytest.raises(ollama.ResponseError, match="does not support tools") as caught:
        await client.chat(MODEL, messages[:1], tools=[tool])
    assert caught.value.status_code == 400
