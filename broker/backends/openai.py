"""The API that OpenAI made and llama.cpp, vLLM and others speak."""

from typing import Any

import msgspec

from broker.backends.backend import Answer, Delta, Embedded, Facts, Kind, Listed
from broker.backends.bounds import MAX_EMBEDDING_BYTES, MAX_LINE_BYTES, MAX_STREAM_BYTES, check_answer
from broker.backends.endpoint import UNREADABLE, Endpoint
from broker.backends.openai_body import body_of_chat, body_of_generate
from broker.backends.tool_fragments import ToolFragments
from broker.http.address import Address
from broker.http.client import HttpClient
from schemas.ai import ChatRequest, EmbedRequest, GenerateRequest


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class _ToolCall(msgspec.Struct):
    index: int = 0
    id: str | None = None
    function: _Function | None = None


class _Message(msgspec.Struct):
    content: str | None = None
    tool_calls: list[_ToolCall] | None = None


class _Choice(msgspec.Struct):
    message: _Message | None = None
    delta: _Message | None = None
    finish_reason: str | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0


class _Answered(msgspec.Struct):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    error: Any = None


class _Vector(msgspec.Struct):
    embedding: list[float]
    index: int = 0


class _Vectors(msgspec.Struct):
    data: list[_Vector]
    usage: _Usage | None = None


class _Meta(msgspec.Struct):
    n_ctx_train: int | None = None
    size: int | None = None


class _Model(msgspec.Struct):
    id: str
    max_model_len: int | None = None
    meta: _Meta | None = None


class _Models(msgspec.Struct):
    data: list[_Model]


_answered = msgspec.json.Decoder(_Answered)


class OpenAI:
    """A server that speaks it. ``url`` may end in ``/v1`` or not."""

    kind: Kind = "openai"

    def __init__(self, url: str, key: str | None = None) -> None:
        address = Address.parse(url.rstrip("/").removesuffix("/v1"))
        self.url = str(address)
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        self._endpoint = Endpoint(HttpClient(address, headers), self.url, "OpenAI", "WASMFORGE_OPENAI_URLS")

    def close(self) -> None:
        """Close idle connections."""
        self._endpoint.close()

    def generate(self, model: str, request: GenerateRequest, *, stream: bool) -> Answer:
        """A conversation of one prompt: the other way, ``/v1/completions``, knows no template of the model."""
        return self._answer(body_of_generate(model, request), model, stream)

    def chat(self, model: str, request: ChatRequest, *, stream: bool) -> Answer:
        """``/v1/chat/completions``"""
        return self._answer(body_of_chat(model, request), model, stream)

    async def embed(self, model: str, request: EmbedRequest) -> Embedded:
        """``/v1/embeddings``"""
        body = {"model": model, "input": request.input, "encoding_format": "float"}
        async with self._endpoint.opened("POST", "/v1/embeddings", body, model) as answer:
            found = await answer.decoded(_Vectors, "its answer", MAX_EMBEDDING_BYTES)
        if sorted(each.index for each in found.data) != list(range(len(request.input))):
            raise self._endpoint.broken(f"{len(found.data)} vectors for {len(request.input)} texts")
        vectors = [each.embedding for each in sorted(found.data, key=lambda each: each.index)]
        return Embedded(vectors, max(0, found.usage.prompt_tokens) if found.usage else 0)

    async def list_models(self) -> list[Listed]:
        """``/v1/models``"""
        async with self._endpoint.opened("GET", "/v1/models") as answer:
            found = await answer.decoded(_Models, "its list of models")
        return [
            Listed(
                each.id,
                each.meta.size if each.meta else None,
                context_length=each.max_model_len or (each.meta.n_ctx_train if each.meta else None),
            )
            for each in found.data
        ]

    async def list_loaded(self) -> list[str]:
        """All: these servers hold what they list."""
        return [each.name for each in await self.list_models()]

    async def facts(self, model: str) -> Facts:
        """Nothing more than the list says."""
        return Facts()

    async def _answer(self, body: dict[str, Any], model: str, stream: bool) -> Answer:
        tools = ToolFragments(self._endpoint)
        body["stream"] = stream
        if stream:
            body["stream_options"] = {"include_usage": True}
        async with self._endpoint.opened("POST", "/v1/chat/completions", body, model) as answer:
            if not stream:
                whole = self._read(await answer.whole())
                choice = _choice(whole)
                if choice is None or choice.message is None:
                    raise self._endpoint.broken("its answer has no text")
                if choice.finish_reason is None:
                    raise self._endpoint.broken("its answer is not complete")
                for index, call in enumerate(choice.message.tool_calls or ()):
                    tools.add(index, call.id, *_function(call))
                yield self._last(choice.message.content or "", tools, choice.finish_reason, whole.usage)
                return
            lines = answer.lines(MAX_STREAM_BYTES, MAX_LINE_BYTES)
            characters, reason, usage, ended = 0, None, None, False
            while not ended and (some := await lines.next()):
                text = []
                for line in some:
                    name, _, value = line.partition(b":")
                    if name == b"error":
                        self._read(b'{"error":' + value + b"}")
                    if name != b"data":
                        continue
                    if value.strip() == b"[DONE]":
                        ended = True
                        break
                    part = self._read(value)
                    usage = part.usage or usage
                    if (choice := _choice(part)) is None:
                        continue
                    reason = choice.finish_reason or reason
                    if choice.delta is not None:
                        text.append(choice.delta.content or "")
                        for call in choice.delta.tool_calls or ():
                            tools.add(call.index, call.id, *_function(call))
                if any(text):
                    characters += sum(map(len, text))
                    check_answer(self._endpoint, characters)
                    yield Delta("".join(text), pieces=len(text))
            if reason is None:
                raise self._endpoint.broken("its answer breaks off")
            yield self._last("", tools, reason, usage)
            await answer.finish()

    def _read(self, data: bytes) -> _Answered:
        try:
            read = _answered.decode(data)
        except UNREADABLE:
            raise self._endpoint.not_its_api("its answer") from None
        if read.error is not None:
            raise self._endpoint.refused_in_words(read.error)
        if read.choices is None and read.usage is None:
            raise self._endpoint.not_its_api("its answer")
        return read

    def _last(self, text: str, tools: ToolFragments, reason: str, usage: _Usage | None) -> Delta:
        usage = usage or _Usage()
        return Delta(
            text, tools.whole(), True, reason == "length", max(0, usage.prompt_tokens), max(0, usage.completion_tokens)
        )


def _choice(answered: _Answered) -> _Choice | None:
    return answered.choices[0] if answered.choices else None


def _function(call: _ToolCall) -> tuple[str, str]:
    return (call.function.name or "", call.function.arguments or "") if call.function else ("", "")
