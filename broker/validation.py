"""What a request may ask of a model. Whoever asks is a plugin, so nothing here is taken on trust."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from schemas.ai import GenerateRequest
from schemas.errors import AIErrorCode, AIFailure
from schemas.limits import MAX_PROMPT_CHARACTERS

MAX_REQUEST_BYTES = 1024 * 1024
MAX_SCHEMA_BYTES = 32 * 1024
MAX_SCHEMA_DEPTH = 32
MAX_STOPS = 16
MAX_STOP_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class _Range:
    low: float
    high: float
    whole: bool = False

    def accepts(self, value: Any) -> bool:
        allowed = int if self.whole else (int, float)
        return isinstance(value, allowed) and not isinstance(value, bool) and self.low <= value <= self.high

    def __str__(self) -> str:
        return f"{'a whole number' if self.whole else 'a number'} from {self.low:g} to {self.high:g}"


_NUMBERS = {
    "temperature": _Range(0, 5),
    "top_p": _Range(0, 1),
    "min_p": _Range(0, 1),
    "typical_p": _Range(0, 1),
    "top_k": _Range(0, 1000, whole=True),
    "seed": _Range(-1, 2_147_483_647, whole=True),
    "num_predict": _Range(-1, 32_768, whole=True),
    "num_ctx": _Range(64, 32_768, whole=True),
    "num_keep": _Range(-1, 32_768, whole=True),
    "repeat_last_n": _Range(-1, 32_768, whole=True),
    "repeat_penalty": _Range(0, 10),
    "presence_penalty": _Range(-10, 10),
    "frequency_penalty": _Range(-10, 10),
    "mirostat": _Range(0, 2, whole=True),
    "mirostat_tau": _Range(0, 100),
    "mirostat_eta": _Range(0, 100),
}
_FLAGS = ("penalize_newline",)
_KNOWN = ", ".join(sorted((*_NUMBERS, *_FLAGS, "stop")))

# These decide how the server loads a model, for everybody who uses it.
_OPERATORS = {
    "numa", "num_batch", "num_gpu", "main_gpu", "low_vram", "f16_kv", "logits_all", "vocab_only", "use_mmap",
    "use_mlock", "num_thread",
}  # fmt: skip


def read_request(body: bytes) -> GenerateRequest:
    """The request out of a message, checked.

    Raises:
        AIFailure: says what is wrong and what would be right.
    """
    if len(body) > MAX_REQUEST_BYTES:
        raise AIFailure(
            f"the request has {len(body):,} bytes, a prompt may have {MAX_PROMPT_CHARACTERS:,} characters",
            AIErrorCode.PROMPT_TOO_LONG,
        )
    try:
        request = msgspec.json.decode(body, type=GenerateRequest)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise _invalid(f"the request can't be read: {error}") from None
    except RecursionError:
        raise _invalid("the request is nested too deep") from None
    if not request.prompt.strip():
        raise _invalid("the prompt is empty")
    check_length("prompt", request.prompt)
    check_length("system prompt", request.system or "")
    check_format(request.format)
    check_options(request.options or {})
    return request


def check_length(what: str, text: str) -> None:
    """Refuse a text over the limit.

    Raises:
        AIFailure: names both numbers.
    """
    if len(text) > MAX_PROMPT_CHARACTERS:
        raise AIFailure(
            f"the {what} has {len(text):,} characters, the limit is {MAX_PROMPT_CHARACTERS:,}",
            AIErrorCode.PROMPT_TOO_LONG,
        )


def check_format(given: Any) -> None:
    """Refuse what is neither ``"json"`` nor a JSON schema of sensible size.

    Raises:
        AIFailure: says what a format may be.
    """
    if given is None or given == "json":
        return
    if not isinstance(given, dict):
        raise _invalid('format must be "json" or a JSON schema (an object)')
    if not _shallow(given, MAX_SCHEMA_DEPTH):
        raise _invalid(f"format is a schema nested more than {MAX_SCHEMA_DEPTH} deep")
    if (size := len(msgspec.json.encode(given))) > MAX_SCHEMA_BYTES:
        raise _invalid(f"format is a schema of {size:,} bytes, the limit is {MAX_SCHEMA_BYTES:,}")


def check_options(options: Mapping[str, Any]) -> None:
    """Refuse options that Ollama does not know, that are the operator's, or whose value makes no sense.

    Raises:
        AIFailure: names the option and what it may be.
    """
    for name, value in options.items():
        if number := _NUMBERS.get(name):
            if not number.accepts(value):
                raise _invalid(f"option {name!r} must be {number}")
        elif name in _FLAGS:
            if not isinstance(value, bool):
                raise _invalid(f"option {name!r} must be true or false")
        elif name == "stop":
            _check_stops(value)
        elif name in _OPERATORS:
            raise _invalid(f"option {name!r} is the operator's to set, not a plugin's")
        else:
            raise _invalid(f"option {name[:80]!r} is unknown, known are: {_KNOWN}")


def _check_stops(value: Any) -> None:
    stops = [value] if isinstance(value, str) else value
    if (
        not isinstance(stops, list)
        or len(stops) > MAX_STOPS
        or not all(isinstance(stop, str) and 0 < len(stop) <= MAX_STOP_CHARACTERS for stop in stops)
    ):
        raise _invalid(f"option 'stop' must be up to {MAX_STOPS} texts of 1 to {MAX_STOP_CHARACTERS} characters")


def _shallow(value: Any, depth: int) -> bool:
    if not isinstance(value, dict | list):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return depth > 0 and all(_shallow(each, depth - 1) for each in inner)


def _invalid(message: str) -> AIFailure:
    return AIFailure(message, AIErrorCode.INVALID_PROMPT)
