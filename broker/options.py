"""The options of a model that a request may set."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from broker.refusal import invalid

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


def check_options(options: Mapping[str, Any]) -> None:
    """Refuse options that Ollama does not know, that are the operator's, or whose value makes no sense.

    Raises:
        AIFailure: names the option and what it may be.
    """
    for name, value in options.items():
        if number := _NUMBERS.get(name):
            if not number.accepts(value):
                raise invalid(f"option {name!r} must be {number}")
        elif name in _FLAGS:
            if not isinstance(value, bool):
                raise invalid(f"option {name!r} must be true or false")
        elif name == "stop":
            _check_stops(value)
        elif name in _OPERATORS:
            raise invalid(f"option {name!r} is the operator's to set, not a plugin's")
        else:
            raise invalid(f"option {name[:80]!r} is unknown, known are: {_KNOWN}")


def most_output_tokens(options: Mapping[str, Any] | None) -> int | None:
    """What checked options bound the answer to; None: they don't."""
    wanted = (options or {}).get("num_predict", -1)
    # 0 bounds nothing: Ollama stops at a number above it only.
    return wanted if wanted > 0 else None


def repeatable(options: Mapping[str, Any] | None) -> bool:
    """Whether equal requests with these (checked) options have equal answers."""
    given = options or {}
    return given.get("temperature") == 0 or given.get("seed", -1) >= 0


def _check_stops(value: Any) -> None:
    stops = [value] if isinstance(value, str) else value
    if (
        not isinstance(stops, list)
        or len(stops) > MAX_STOPS
        or not all(isinstance(stop, str) and 0 < len(stop) <= MAX_STOP_CHARACTERS for stop in stops)
    ):
        raise invalid(f"option 'stop' must be up to {MAX_STOPS} texts of 1 to {MAX_STOP_CHARACTERS} characters")
