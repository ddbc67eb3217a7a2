"""What a WasmForge plugin imports: its input, its output and the AI models it may call.

    from platform_sdk import call_ai, get_input, send_output

    send_output(call_ai("qwen2.5:1.5b", "Summarize: " + get_input()))

A plugin reads its input once, may call models (10 times unless its limits say otherwise) and sends its output.
What it prints goes to the log, unless it sends no output at all: then what it printed is its output.

Models: `call_ai` (a prompt), `chat` (a conversation, with tools), `stream_ai` (either, as the answer comes), `map_ai`
(many prompts at once), `embed` (vectors), `list_models`. What fails raises `AIError`.
"""

# Runs inside the sandbox (CPython 3.12, standard library only), so it imports nothing of WasmForge and little else.
# The sandbox injects a module `_wasmforge`:
#   input: bytes                         the whole input of this call
#   send_output(data: bytes) -> None     one piece of output
#   send_chunk(data: bytes) -> None      output that goes on where the last piece ended
#   request(operation: str, arguments: dict) -> dict
#     {"ok": True, "value": ...} with the operations of executor/ai.py, or
#     {"ok": False, "error": str, "code": str, "retry_after_ms"?: int}

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence
    from typing import Any, Literal, Required, TypedDict, overload

    class Message(TypedDict, total=False):
        """One turn of a conversation."""

        role: Required[Literal["system", "user", "assistant", "tool"]]
        content: str
        images: Sequence[bytes | str]
        tool_calls: list[dict[str, Any]]
        tool_name: str
        """With role ``tool``: the function whose result the content is."""
        tool_call_id: str

    class Reply(TypedDict):
        """A model's turn."""

        role: Literal["assistant"]
        content: str
        tool_calls: list[dict[str, Any]]

    class StreamReply(TypedDict, total=False):
        """A whole streamed answer: ``response`` to a prompt, ``message`` of a conversation."""

        response: str
        message: Reply
        answered_by: str
        prompt_tokens: int
        output_tokens: int
        duration_us: int
        queue_us: int
        cached: bool

    class ModelInfo(TypedDict):
        """A model that plugins may call."""

        name: str
        type: str
        description: str
        available: bool
        answered_by: str | None

else:
    # As names in annotations and as dicts they work in the sandbox too; their shapes are for editors and type checkers.
    Message = Reply = StreamReply = ModelInfo = dict

__all__ = [
    "MAX_PROMPT_CHARACTERS",
    "AIError",
    "Message",
    "ModelInfo",
    "Reply",
    "StreamReply",
    "call_ai",
    "chat",
    "embed",
    "get_input",
    "get_input_bytes",
    "list_models",
    "map_ai",
    "send_chunk",
    "send_output",
    "stream_ai",
]

MAX_PROMPT_CHARACTERS = 4_000
"""Longest prompt a model is sent, in characters."""


class AIError(Exception):
    """A model call failed. ``str(error)`` says why, ``error.code`` is one word to decide on:

    ``model_not_allowed``, ``model_not_found``, ``invalid_prompt``, ``prompt_too_long``, ``too_many_calls``,
    ``unavailable``, ``timeout``, ``refused``, ``broken_reply``, ``busy``, ``budget_exceeded``, ``format_mismatch``,
    ``not_supported``, ``cancelled``.

    ``error.retry_after_ms`` says when the same call may succeed (``busy``, ``budget_exceeded``), where that is known.
    A plugin that does not catch it ends with the error type ``ai_error``.
    """

    def __init__(self, message: str, code: str = "unavailable", retry_after_ms: int | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.retry_after_ms = retry_after_ms


def get_input() -> str:
    """The whole input of this call as text (UTF-8; bytes that are not become U+FFFD). May be called again."""
    return get_input_bytes().decode("utf-8", "replace")


def get_input_bytes() -> bytes:
    """The whole input of this call as the caller sent it."""
    data: bytes = _sandbox().input
    return data


def send_output(value: object) -> None:
    """Send a piece of output; a caller that streams gets it at once. Several pieces are joined by newlines.

    ``str`` goes out as UTF-8, ``bytes`` as they are, ``dict``, ``list`` and ``tuple`` as JSON, all else as
    ``str(value)``. What JSON can't say (a set, NaN, …) raises ``TypeError`` or ``ValueError``.
    """
    _sandbox().send_output(_bytes(value))


def send_chunk(value: object) -> None:
    """Send output that goes on where the last piece ended, without a newline between; as `send_output` otherwise."""
    _sandbox().send_chunk(_bytes(value))


def call_ai(
    model: str,
    prompt: str,
    *,
    system: str | None = None,
    format: str | dict[str, Any] | None = None,
    options: dict[str, Any] | None = None,
    images: Sequence[bytes | str] | None = None,
    cache: bool = False,
) -> str:
    """Ask a model and wait for its whole answer.

    Args:
        model: an approved model's exact name, such as ``"qwen2.5:1.5b"``; `list_models` lists them.
        prompt: 1 to 4,000 characters.
        system: what the model is told about its part before the prompt.
        format: ``"json"`` for any JSON, or a JSON schema that the answer follows.
        options: Ollama's options, such as ``{"temperature": 0, "seed": 1, "num_predict": 100}``.
        images: pictures as bytes (or base64), for models that see.
        cache: whether an answer that an equal request of this plugin had will do; it is looked for only with
            ``temperature`` 0 or a ``seed``.

    Raises:
        AIError: the call was refused or failed; ``code`` says why.
    """
    answer: str = _request(
        "generate",
        _prompt(model, prompt, system=system, format=format, options=options, images=images, cache=cache),
    )
    return answer


def chat(
    model: str,
    messages: Sequence[Message | Reply],
    *,
    tools: Sequence[dict[str, Any]] | None = None,
    format: str | dict[str, Any] | None = None,
    options: dict[str, Any] | None = None,
    cache: bool = False,
) -> Reply:
    """Let a model go on with a conversation.

    Args:
        messages: ``{"role": "system" | "user" | "assistant" | "tool", "content": "…"}`` and what this function
            returned, the oldest first. Pictures (``"images"``) are bytes or base64.
        tools: functions that the model may want called, as Ollama and OpenAI take them:
            ``{"type": "function", "function": {"name": "…", "description": "…", "parameters": <JSON schema>}}``.

    Returns:
        ``{"role": "assistant", "content": "…", "tool_calls": [{"name": "…", "arguments": {…}}, …]}``. Answer each of
        the tool calls with a message ``{"role": "tool", "tool_name": "…", "content": "…"}`` and call again.

    Raises:
        AIError: the call was refused or failed; ``code`` says why.
    """
    reply: Reply = _request(
        "chat", _conversation(model, messages, tools=tools, format=format, options=options, cache=cache)
    )
    return reply


def embed(
    model: str, texts: str | Sequence[str], *, options: dict[str, Any] | None = None, cache: bool = False
) -> list[list[float]]:
    """One vector for each text, in their order; texts that mean the same have vectors that point the same way.

    Args:
        texts: 1 to 64, or a single one. All of them are one AI call.

    Raises:
        AIError: the call was refused or failed; ``code`` says why.
    """
    given = [texts] if isinstance(texts, str) else list(texts)
    for text in given:
        _check_text(text, "a text")
    vectors: list[list[float]] = _request("embed", _arguments(model, input=_clean(given), options=options, cache=cache))
    return vectors


def stream_ai(
    model: str,
    prompt: str | Sequence[Message | Reply],
    *,
    system: str | None = None,
    tools: Sequence[dict[str, Any]] | None = None,
    format: str | dict[str, Any] | None = None,
    options: dict[str, Any] | None = None,
    images: Sequence[bytes | str] | None = None,
    cache: bool = False,
) -> Generator[str, None, StreamReply]:
    """A model's answer as it comes, piece by piece::

        for text in stream_ai("qwen2.5:1.5b", "Tell a story."):
            send_chunk(text)

    Leaving the loop (or closing the generator) stops the model. ``reply = yield from stream_ai(…)`` is what is known
    of the whole answer, tool calls too. Over 256 KiB of text that is not read the stream is cut off.

    Args:
        prompt: a prompt as for `call_ai`, or messages as for `chat` (then with ``tools``, without ``images``).

    Raises:
        AIError: the call was refused or failed, perhaps after some of the text; ``code`` says why.
    """
    if isinstance(prompt, (list, tuple)):
        if images is not None:
            raise AIError("images of a conversation belong into its messages", "invalid_prompt")
        told = [] if system is None else [{"role": "system", "content": system}]
        messages = [*told, *prompt]
        return _stream(_conversation(model, messages, tools=tools, format=format, options=options, cache=cache))
    if tools is not None:
        raise AIError("tools are for messages, not for a prompt", "invalid_prompt")
    return _stream(_prompt(model, prompt, system=system, format=format, options=options, images=images, cache=cache))


if TYPE_CHECKING:

    @overload
    def map_ai(model: str, prompts: Iterable[str], *, on_error: Literal["raise"] = ..., **more: Any) -> list[str]: ...
    @overload
    def map_ai(
        model: str, prompts: Iterable[str], *, on_error: Literal["return"], **more: Any
    ) -> list[str | AIError]: ...


def map_ai(model: str, prompts: Iterable[str], *, on_error: str = "raise", **more: Any) -> Any:
    """Ask a model many prompts, up to eight at the same time; the answers in their order. Each prompt is an AI call.

    Args:
        more: what else `call_ai` takes, the same for every prompt.
        on_error: ``"raise"``: the first failure ends all of them, and if there are more prompts than AI calls left none
            is asked. ``"return"``: an `AIError` stands in the list where an answer is missing.

    Raises:
        AIError: the call was refused or failed; ``code`` says why.
    """
    if on_error not in ("raise", "return"):
        raise ValueError(f"on_error must be 'raise' or 'return', not {on_error!r}")
    if unknown := more.keys() - {"system", "format", "options", "images", "cache"}:
        raise TypeError(f"map_ai takes no {', '.join(unknown)}")
    for prompt in (given := list(prompts)):
        _check_text(prompt, "a prompt")
    arguments = _prompt(model, "-", **more)
    del arguments["prompt"]
    answers = _request("map", arguments | {"prompts": _clean(given), "fail_fast": on_error == "raise"})
    return [answer["value"] if answer["ok"] else _error(answer) for answer in answers]


def list_models() -> list[ModelInfo]:
    """The models that plugins may call: dicts with ``name``, ``type``, ``description``, ``available``, ``answered_by``.

    ``answered_by`` is the model that really answers under the name; None while it is not available.
    """
    models: list[ModelInfo] = _request("models", {})
    return models


def _stream(arguments: dict[str, Any]) -> Generator[str, None, StreamReply]:
    stream = _request("stream", arguments)
    done = False
    try:
        while not done:
            step = _request("next", stream)
            done = step["done"]
            if step["text"]:
                yield step["text"]
        reply: StreamReply = step["reply"]
        return reply
    finally:
        if not done:
            _request("close", stream)


def _prompt(
    model: str, prompt: Any, *, system: Any = None, format: Any = None, options: Any = None, **more: Any
) -> dict[str, Any]:
    _check_text(prompt, "the prompt")
    if system is not None and not isinstance(system, str):
        raise AIError(f"system is {type(system).__name__}, not str", "invalid_prompt")
    return _arguments(model, prompt=_clean(prompt), system=_clean(system), format=format, options=options, **more)


def _conversation(model: str, messages: Any, *, tools: Any, format: Any, options: Any, cache: bool) -> dict[str, Any]:
    if not isinstance(messages, (list, tuple)) or not messages or not all(isinstance(turn, dict) for turn in messages):
        raise AIError('messages must be a list such as [{"role": "user", "content": "Hello"}]', "invalid_prompt")
    turns = [turn | {"images": _images(turn["images"])} if turn.get("images") else turn for turn in messages]
    return _arguments(model, messages=_clean(turns), tools=_clean(tools), format=format, options=options, cache=cache)


def _arguments(model: str, *, images: Any = None, cache: bool = False, **more: Any) -> dict[str, Any]:
    """What was given, and nothing else."""
    if not isinstance(model, str) or not model:
        raise AIError(f"model must be a name such as 'qwen2.5:1.5b', not {model!r}", "model_not_found")
    more |= {"model": _clean(model), "cache": True if cache else None}
    if images is not None:
        more["images"] = _images(images)
    return {name: value for name, value in more.items() if value is not None}


def _check_text(text: Any, what: str) -> None:
    if not isinstance(text, str) or not text.strip():
        state = "empty" if isinstance(text, str) else f"{type(text).__name__}, not str"
        raise AIError(f"{what} is {state}", "invalid_prompt")
    if len(text) > MAX_PROMPT_CHARACTERS:
        raise AIError(
            f"{what} has {len(text):,} characters, at most {MAX_PROMPT_CHARACTERS:,} are allowed", "prompt_too_long"
        )


def _images(images: Any) -> list[str]:
    from base64 import b64encode

    if isinstance(images, (str, bytes)):
        raise AIError("images must be a list of pictures", "invalid_prompt")
    return [image if isinstance(image, str) else b64encode(image).decode() for image in images]


def _request(operation: str, arguments: dict[str, Any]) -> Any:
    reply = _sandbox().request(operation, arguments)
    if not reply["ok"]:
        raise _error(reply)
    return reply["value"]


def _error(reply: dict[str, Any]) -> AIError:
    return AIError(reply["error"], reply["code"], reply.get("retry_after_ms"))


def _bytes(value: object) -> bytes:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(value)
    if isinstance(value, (dict, list, tuple)):
        return _utf8(json.dumps(value, ensure_ascii=False, allow_nan=False))
    return _utf8(str(value))


def _utf8(text: str) -> bytes:
    # A lone surrogate (half of a broken "\ud83d\ude00") must not fail the call; it goes out as "?".
    return text.encode("utf-8", "replace")


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return _utf8(value).decode("utf-8")
    if isinstance(value, dict):
        return {_clean(name): _clean(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_clean(part) for part in value]
    return value


def _sandbox() -> Any:
    try:
        import _wasmforge  # type: ignore[import-not-found]
    except ImportError:
        raise RuntimeError(
            "platform_sdk works only inside the sandbox: deploy this file with 'wasmforge deploy FILE.py', "
            "then call it with 'wasmforge run NAME INPUT'"
        ) from None
    return _wasmforge
