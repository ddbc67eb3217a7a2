"""What one request is to queue, budgets and counters: for whom, for which model, how large, until when."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from schemas import headers
from schemas.errors import InvalidInput
from schemas.names import DRAFT, check_plugin_name

Operation = Literal["generate", "chat", "embed"]

MAX_CALLER_CHARACTERS = 200
MAX_EXECUTION_ID_CHARACTERS = 80


@dataclass(frozen=True, slots=True)
class Ticket:
    """One request that was found fit to be answered."""

    operation: Operation
    model: str
    """As it was asked for."""
    target: str
    """The model of the model servers that is to answer; another one where that falls back (`dataclasses.replace`)."""
    deadline: float
    """By the event loop's clock; nobody wants the answer any later."""
    seconds: float = 0.0
    """How long that was from its arrival."""
    plugin: str = ""
    """For whose sake it is; empty: no plugin's."""
    caller: str = ""
    execution_id: str = ""
    prompt_characters: int = 0
    """Of everything that the model reads: prompts, messages, tools, texts to embed."""
    most_output_tokens: int | None = None
    """What ``num_predict`` bounds the answer to, all tries together where it has to have a form; None: nothing."""
    stream: bool = False
    cache: bool = False
    """Whether an equal request's answer will do; only ever set where equal requests have equal answers."""


@dataclass(frozen=True, slots=True)
class Origin:
    """For whom a request is, as its headers say."""

    plugin: str = ""
    caller: str = ""
    execution_id: str = ""

    @classmethod
    def read(cls, given: Mapping[str, str]) -> "Origin":
        """Out of a request's headers; what is no plugin name counts as no plugin's, what is too long is cut."""
        plugin = given.get(headers.PLUGIN, "")
        try:
            plugin = check_plugin_name(plugin) if plugin not in ("", DRAFT) else plugin
        except InvalidInput:
            plugin = ""
        return cls(
            plugin,
            given.get(headers.CALLER, "")[:MAX_CALLER_CHARACTERS],
            given.get(headers.EXECUTION_ID, "")[:MAX_EXECUTION_ID_CHARACTERS],
        )
