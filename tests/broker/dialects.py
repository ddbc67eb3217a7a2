"""What the scripted model server says, in either of the languages that the broker speaks."""

import json
from typing import Any

from tests.broker.misbehaving import CHUNKED, Asked, chunk, http

PNG = "iVBORw0KGgoAAAANSUhEUg=="
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}


class Ollama:
    """Ollama's own."""

    name = "ollama"
    setting = "OLLAMA_URLS"
    head = CHUNKED

    def listing(self, *names: str) -> bytes:
        """A list of models."""
        return http({"models": [{"name": name, "size": 5, "details": {"parameter_size": "1M"}} for name in names]})

    def whole(self, text: str, chat: bool = False, calls: list[tuple[str, Any]] | None = None) -> bytes:
        """A whole answer."""
        said: dict[str, Any] = {"response": text}
        if chat:
            said = {"message": {"role": "assistant", "content": text}}
            if calls:
                said["message"]["tool_calls"] = [{"function": {"name": n, "arguments": a}} for n, a in calls]
        return http(said | {"done": True, "prompt_eval_count": 3, "eval_count": 2})

    def piece(self, text: str) -> bytes:
        """A piece of a streamed answer to a prompt."""
        return chunk(self.bare_piece(text))

    def bare_piece(self, text: str) -> bytes:
        """The same without what HTTP puts around it."""
        return json.dumps({"response": text, "done": False}).encode() + b"\n"

    def call_pieces(self, name: str, arguments: dict[str, Any]) -> bytes:
        """A streamed call of a tool."""
        call = {"function": {"name": name, "arguments": arguments}}
        return chunk(json.dumps({"message": {"content": "", "tool_calls": [call]}, "done": False}).encode() + b"\n")

    def error(self, words: str) -> bytes:
        """An error in the middle of a stream."""
        return chunk(json.dumps({"error": words}).encode() + b"\n")

    def end(self) -> bytes:
        """The end of a streamed answer."""
        last = {"response": "", "message": {"content": ""}, "done": True, "prompt_eval_count": 3, "eval_count": 2}
        return chunk(json.dumps(last).encode() + b"\n") + chunk(b"")

    def vectors(self, vectors: list[list[float]]) -> bytes:
        """Embeddings."""
        return http({"embeddings": vectors, "prompt_eval_count": 4})

    def asked_messages(self, asked: Asked) -> Any:
        """The messages of a request, each as role, text, images, calls."""
        return [
            (each["role"], each["content"], each.get("images"), _calls(each.get("tool_calls")))
            for each in asked.json["messages"]
        ]

    def asked_format(self, asked: Asked) -> Any:
        """The format of a request."""
        return asked.json.get("format")


class OpenAI:
    """OpenAI's."""

    name = "openai"
    setting = "WASMFORGE_OPENAI_URLS"
    head = CHUNKED.replace(b"application/json", b"text/event-stream")

    def listing(self, *names: str) -> bytes:
        """A list of models."""
        return http({"object": "list", "data": [{"id": name, "meta": {"size": 5}} for name in names]})

    def whole(self, text: str, chat: bool = False, calls: list[tuple[str, Any]] | None = None) -> bytes:
        """A whole answer."""
        message: dict[str, Any] = {"role": "assistant", "content": text}
        if calls:
            message["tool_calls"] = [
                {"id": f"id-{name}", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
                for name, arguments in calls
            ]
        usage = {"prompt_tokens": 3, "completion_tokens": 2}
        return http({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}], "usage": usage})

    def piece(self, text: str) -> bytes:
        """A piece of a streamed answer."""
        return chunk(self.bare_piece(text))

    def bare_piece(self, text: str) -> bytes:
        """The same without what HTTP puts around it."""
        return _event({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]})

    def call_pieces(self, name: str, arguments: dict[str, Any]) -> bytes:
        """A streamed call of a tool, torn to pieces."""
        written = json.dumps(arguments)
        parts: list[dict[str, Any]] = [
            {"index": 0, "id": "id-1", "type": "function", "function": {"name": name, "arguments": ""}},
            {"index": 0, "function": {"arguments": written[:4]}},
            {"index": 0, "function": {"arguments": written[4:]}},
        ]
        return b"".join(
            chunk(_event({"choices": [{"delta": {"tool_calls": [part]}, "finish_reason": None}]})) for part in parts
        )

    def error(self, words: str) -> bytes:
        """An error in the middle of a stream."""
        return chunk(_event({"error": {"message": words, "type": "server_error"}}))

    def end(self) -> bytes:
        """The end of a streamed answer."""
        reason = _event({"choices": [{"delta": {}, "finish_reason": "stop"}]})
        usage = _event({"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 2}})
        return chunk(b": a comment\n\n" + reason + usage + b"data: [DONE]\n\n") + chunk(b"")

    def vectors(self, vectors: list[list[float]]) -> bytes:
        """Embeddings, not in order."""
        data = [{"index": index, "embedding": vector} for index, vector in enumerate(vectors)]
        return http({"data": data[::-1], "usage": {"prompt_tokens": 4}})

    def asked_messages(self, asked: Asked) -> Any:
        """The messages of a request, each as role, text, images, calls."""
        found = []
        for each in asked.json["messages"]:
            content, images = each["content"], None
            if isinstance(content, list):
                images = [part["image_url"]["url"].partition(",")[2] for part in content if part["type"] == "image_url"]
                content = content[0]["text"]
            found.append((each["role"], content, images, _calls(each.get("tool_calls"))))
        return found

    def asked_format(self, asked: Asked) -> Any:
        """The format of a request."""
        form = asked.json.get("response_format")
        if form is None or form["type"] == "json_object":
            return form and "json"
        return form["json_schema"]["schema"]


Dialect = Ollama | OpenAI


def _event(data: Any) -> bytes:
    return b"data: " + json.dumps(data).encode() + b"\n\n"


def _calls(calls: Any) -> Any:
    found = []
    for call in calls or ():
        arguments = call["function"]["arguments"]
        found.append((call["function"]["name"], json.loads(arguments) if isinstance(arguments, str) else arguments))
    return found
