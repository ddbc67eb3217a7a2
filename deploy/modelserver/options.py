"""Ollama's ``options`` and ``format``, and what they are called by llama.cpp."""

from typing import Any

import msgspec

from deploy.modelserver.errors import ApiError

MAX_SCHEMA_DEPTH = 64
_SEEDS = 1 << 32


class Options(msgspec.Struct, frozen=True):
    """Ollama's options with its defaults. What is not named here has no meaning for this server and is ignored."""

    num_keep: int = 4
    seed: int = -1
    num_predict: int = -1
    top_k: int = 40
    top_p: float = 0.9
    min_p: float = 0.0
    typical_p: float = 1.0
    repeat_last_n: int = 64
    temperature: float = 0.8
    repeat_penalty: float = 1.1
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    mirostat: int = 0
    mirostat_tau: float = 5.0
    mirostat_eta: float = 0.1
    stop: list[str] = []
    num_ctx: int = 0

    def sampling(self) -> dict[str, Any]:
        """The same for llama.cpp; how much to generate is the caller's business."""
        return {
            "seed": self.seed % _SEEDS,
            "top_k": self.top_k,
            "top_p": self.top_p,
            "min_p": self.min_p,
            "typical_p": self.typical_p,
            "repeat_last_n": self.repeat_last_n,
            "temperature": self.temperature,
            "repeat_penalty": self.repeat_penalty,
            "presence_penalty": self.presence_penalty,
            "frequency_penalty": self.frequency_penalty,
            "mirostat": self.mirostat,
            "mirostat_tau": self.mirostat_tau,
            "mirostat_eta": self.mirostat_eta,
            "stop": [text for text in self.stop if text],
            # A cached prompt is computed in other batches, which may change the last bits and so the choice of tokens.
            "cache_prompt": self.seed == -1,
        }


def read_options(given: dict[str, Any] | None) -> Options:
    """Options out of a request.

    Raises:
        ApiError: 400, one has the wrong type.
    """
    present = {name: value for name, value in (given or {}).items() if value is not None}
    if isinstance(present.get("stop"), str):
        present["stop"] = [present["stop"]]
    try:
        return msgspec.convert(present, Options)
    except msgspec.ValidationError as error:
        raise ApiError(400, f"invalid options: {error}") from None


def read_format(given: Any) -> dict[str, Any] | None:
    """The JSON schema an answer has to follow, or None.

    Raises:
        ApiError: 400, neither ``"json"`` nor a schema.
    """
    if given is None or given == "":
        return None
    if given == "json":
        return {"type": "object"}
    if not isinstance(given, dict):
        raise ApiError(400, 'invalid format: expected "json" or a valid JSON Schema object')
    if not _shallow(given, MAX_SCHEMA_DEPTH):
        raise ApiError(400, f"invalid format: the schema is nested more than {MAX_SCHEMA_DEPTH} deep")
    return given


def _shallow(value: Any, depth: int) -> bool:
    if not isinstance(value, dict | list):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return depth > 0 and all(_shallow(each, depth - 1) for each in inner)
