"""Ollama's native API."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from broker.backends.backend import Answer, Delta, Embedded, Facts, Kind, Listed
from broker.backends.bounds import MAX_EMBEDDING_BYTES, MAX_LINE_BYTES, MAX_STREAM_BYTES, check_answer
from broker.backends.endpoint import UNREADABLE, Endpoint, said, sentence
from broker.backends.tool_ids import matched
from broker.http.address import Address
from broker.http.client import HttpClient
from schemas.ai import ChatRequest, EmbedRequest, GenerateRequest, Message, ToolCall

_MISSING = re.compile(r"not found|no such model|try pulling")


class _Function(msgspec.Struct):
    name: str
    arguments: dict[str, Any] = {}


class _ToolCall(msgspec.Struct):
    function: _Function
    id: str | None = None


class _Message(msgspec.Struct):
    content: str | None = None
    tool_calls: list[_ToolCall] | None = None


class _Answered(msgspec.Struct):
    response: str | None = None
    message: _Message | None = None
    done: bool = False
    done_reason: str | None = None
    error: Any = None
    prompt_eval_count: int = 0
    eval_count: int = 0


class _Embedded(msgspec.Struct):
    embeddings: list[list[float]]
    prompt_eval_count: int = 0


class _Details(msgspec.Struct):
    parameter_size: str | None = None
    quantization_level: str | None = None


class _Model(msgspec.Struct):
    name: str
    size: int | None = None
    digest: str = ""
    details: _Details | None = None


class _Models(msgspec.Struct):
    models: list[_Model] | None = None


class _Shown(msgspec.Struct):
    capabilities: list[str] | None = None
    model_info: dict[str, Any] | None = None


_answered = msgspec.json.Decoder(_Answered)


class Ollama:
    """A server that speaks it."""

    kind: Kind = "ollama"

    def __init__(self, url: str) -> None:
        address = Address.parse(url)
        self.url = str(address)
        self._endpoint = Endpoint(HttpClient(address, {}), self.url, "Ollama", "OLLAMA_URL")

    def close(self) -> None:
        """Close idle connections."""
        self._endpoint.close()

    def generate(self, model: str, request: GenerateRequest, *, stream: bool) -> Answer:
        """``/api/generate``"""
        body: dict[str, Any] = {"model": model, "prompt": request.prompt, "stream": stream}
        for name in ("system", "format", "options", "images"):
            if (value := getattr(request, name)) is not None:
                body[name] = value
        return self._answer("/api/generate", body, model)

    def chat(self, model: str, request: ChatRequest, *, stream: bool) -> Answer:
        """``/api/chat``"""
        body: dict[str, Any] = {"model": model, "messages": [_spoken(each) for each in matched(request.messages)]}
        body["stream"] = stream
        for name in ("tools", "format", "options"):
            if (value := getattr(request, name)) is not None:
                body[name] = value
        return self._answer("/api/chat", body, model)

    async def embed(self, model: str, request: EmbedRequest) -> Embedded:
        """``/api/embed``"""
        body: dict[str, Any] = {"model": model, "input": request.input}
        if request.options is not None:
            body["options"] = request.options
        async with self._endpoint.opened("POST", "/api/embed", body, model) as answer:
            found = await answer.decoded(_Embedded, "its answer", MAX_EMBEDDING_BYTES)
        if len(found.embeddings) != len(request.input):
            raise self._endpoint.broken(f"{len(found.embeddings)} vectors for {len(request.input)} texts")
        return Embedded(found.embeddings, max(0, found.prompt_eval_count))

    async def list_models(self) -> list[Listed]:
        """``/api/tags``"""
        async with self._endpoint.opened("GET", "/api/tags") as answer:
            found = await answer.decoded(_Models, "its list of models")
        return [
            Listed(
                each.name,
                each.size,
                each.details.parameter_size if each.details else None,
                each.details.quantization_level if each.details else None,
                digest=each.digest,
            )
            for each in found.models or ()
        ]

    async def list_loaded(self) -> list[str]:
        """``/api/ps``"""
        async with self._endpoint.opened("GET", "/api/ps") as answer:
            found = await answer.decoded(_Models, "its list of loaded models")
        return [each.name for each in found.models or ()]

    async def facts(self, model: str) -> Facts:
        """``/api/show``"""
        async with self._endpoint.opened("POST", "/api/show", {"model": model}, model) as answer:
            shown = await answer.decoded(_Shown, "what it tells of a model")
        context = next((v for k, v in (shown.model_info or {}).items() if k.endswith(".context_length")), None)
        return Facts(
            context if isinstance(context, int) else None, tuple(sentence(c) for c in (shown.capabilities or ())[:16])
        )

    async def _answer(self, path: str, body: Mapping[str, Any], model: str) -> Answer:
        async with self._endpoint.opened("POST", path, body, model) as answer:
            if not body["stream"]:
                whole = self._read(await answer.whole())
                if whole.response is None and whole.message is None:
                    raise self._endpoint.broken("its answer has no text")
                if not whole.done:
                    raise self._endpoint.broken("its answer is not complete")
                yield _delta([whole])
                return
            lines = answer.lines(MAX_STREAM_BYTES, MAX_LINE_BYTES)
            characters = 0
            while some := await lines.next():
                parts = []
                for line in some:
                    if line.strip():
                        parts.append(self._read(line))
                        if parts[-1].done:
                            break
                if not parts:
                    continue
                delta = _delta(parts)
                characters += len(delta.text)
                check_answer(self._endpoint, characters)
                yield delta
                if delta.done:
                    await answer.finish()
                    return
        raise self._endpoint.broken("its answer breaks off")

    def _read(self, data: bytes) -> _Answered:
        try:
            read = _answered.decode(data)
        except UNREADABLE:
            raise self._endpoint.not_its_api("its answer") from None
        if read.error is not None:
            if _MISSING.search(said(read.error)):
                raise self._endpoint.missing(read.error)
            raise self._endpoint.refused_in_words(read.error)
        if read.response is None and read.message is None and not read.done:
            raise self._endpoint.not_its_api("its answer")
        return read


def _delta(parts: list[_Answered]) -> Delta:
    last = parts[-1]
    calls = [call for part in parts if part.message for call in part.message.tool_calls or ()]
    return Delta(
        "".join(part.response or ((part.message.content if part.message else "") or "") for part in parts),
        tuple(ToolCall(call.function.name, call.function.arguments, call.id) for call in calls),
        last.done,
        last.done_reason == "length",
        max(0, last.prompt_eval_count),
        max(0, last.eval_count),
        len(parts),
    )


def _spoken(message: Message) -> dict[str, Any]:
    """A message as Ollama writes it."""
    spoken: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.images:
        spoken["images"] = message.images
    if message.tool_calls:
        spoken["tool_calls"] = [
            {"function": {"name": call.name, "arguments": call.arguments}} for call in message.tool_calls
        ]
    if message.tool_name:
        spoken["tool_name"] = message.tool_name
    return spoken
