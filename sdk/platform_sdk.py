"""What a WasmForge plugin imports: its input, its output and the AI models it may call.

    from platform_sdk import call_ai, get_input, send_output

    send_output(call_ai("qwen2.5:1.5b", "Summarize: " + get_input()))

A plugin reads its input once, may call models (10 times unless its limits say otherwise) and sends its output.
What it prints goes to the log, unless it never calls `send_output`: then what it printed is its output.
"""

# Runs inside the sandbox (CPython 3.12, standard library only), so it imports nothing of WasmForge. The sandbox injects
# a module `_wasmforge`:
#   input: bytes                                    the whole input of this call
#   send_output(data: bytes) -> None                one piece of output
#   request(operation: str, arguments: dict) -> dict
#     "generate" {model, prompt, system?, format?, options?} -> {"ok": True, "value": str}
#     "models"   {}                                          -> {"ok": True, "value": [ModelInfo as a dict, ...]}
#     either one                                             -> {"ok": False, "error": str, "code": str}

from __future__ import annotations

import json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = [
    "MAX_PROMPT_CHARACTERS",
    "AIError",
    "call_ai",
    "get_input",
    "get_input_bytes",
    "list_models",
    "send_output",
]

MAX_PROMPT_CHARACTERS = 4_000
"""Longest prompt a model is sent, in characters."""


class AIError(Exception):
    """A model call failed. ``str(error)`` says why, ``error.code`` is one word to decide on:

    ``model_not_allowed``, ``model_not_found``, ``invalid_prompt``, ``prompt_too_long``, ``too_many_calls``,
    ``unavailable``, ``timeout``, ``refused``, ``broken_reply``, ``busy``.

    A plugin that does not catch it ends with the error type ``ai_error``.
    """

    def __init__(self, message: str, code: str = "unavailable") -> None:
        super().__init__(message)
        self.code = code


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
    ``str(value)``.

    Raises:
        TypeError, ValueError: a dict, list or tuple holds what JSON can't say (a set, NaN, …).
    """
    if isinstance(value, (bytes, bytearray, memoryview)):
        data = bytes(value)
    elif isinstance(value, (dict, list, tuple)):
        data = _utf8(json.dumps(value, ensure_ascii=False, allow_nan=False))
    else:
        data = _utf8(str(value))
    _sandbox().send_output(data)


def call_ai(
    model: str,
    prompt: str,
    *,
    system: str | None = None,
    format: str | dict[str, Any] | None = None,
    options: dict[str, Any] | None = None,
) -> str:
    """Ask a model and wait for its whole answer.

    Args:
        model: an approved model's exact name, such as ``"qwen2.5:1.5b"``; `list_models` lists them.
        prompt: 1 to 4,000 characters.
        system: what the model is told about its part before the prompt.
        format: ``"json"`` for any JSON, or a JSON schema that the answer shall follow.
        options: Ollama's options, such as ``{"temperature": 0, "seed": 1, "num_predict": 100}``.

    Raises:
        AIError: the call was refused or failed; ``code`` says why.
    """
    if not isinstance(model, str) or not model:
        raise AIError(f"model must be a name such as 'qwen2.5:1.5b', not {model!r}", "model_not_found")
    if not isinstance(prompt, str) or not prompt.strip():
        what = "empty" if isinstance(prompt, str) else f"{type(prompt).__name__}, not str"
        raise AIError(f"the prompt is {what}", "invalid_prompt")
    if len(prompt) > MAX_PROMPT_CHARACTERS:
        raise AIError(
            f"the prompt has {len(prompt):,} characters, at most {MAX_PROMPT_CHARACTERS:,} are allowed",
            "prompt_too_long",
        )
    if system is not None and not isinstance(system, str):
        raise AIError(f"system is {type(system).__name__}, not str", "invalid_prompt")
    arguments: dict[str, Any] = {"model": _clean(model), "prompt": _clean(prompt)}
    if system is not None:
        arguments["system"] = _clean(system)
    if format is not None:
        arguments["format"] = format
    if options is not None:
        arguments["options"] = options
    answer: str = _request("generate", arguments)
    return answer


def list_models() -> list[dict[str, Any]]:
    """The models that plugins may call: dicts with ``name``, ``type``, ``description``, ``available``, ``answered_by``.

    ``answered_by`` is the model that really answers under the name; None while it is not available.

    Raises:
        AIError: the list can't be had now.
    """
    models: list[dict[str, Any]] = _request("models", {})
    return models


def _request(operation: str, arguments: dict[str, Any]) -> Any:
    reply = _sandbox().request(operation, arguments)
    if not reply["ok"]:
        raise AIError(reply["error"], reply["code"])
    return reply["value"]


def _utf8(text: str) -> bytes:
    # A lone surrogate (half of a broken "\ud83d\ude00") must not fail the call; it goes out as "?".
    return text.encode("utf-8", "replace")


def _clean(text: str) -> str:
    return _utf8(text).decode("utf-8")


def _sandbox() -> Any:
    try:
        import _wasmforge  # type: ignore[import-not-found]
    except ImportError:
        raise RuntimeError(
            "platform_sdk works only inside the sandbox: deploy this file with 'wasmforge deploy FILE.py', "
            "then call it with 'wasmforge run NAME INPUT'"
        ) from None
    return _wasmforge
