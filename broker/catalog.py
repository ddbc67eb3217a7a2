"""The models that plugins may call, and which models of the servers answer for each."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from schemas.ai import ModelInfo
from schemas.errors import AIErrorCode, AIFailure


class Model(msgspec.Struct, frozen=True):
    """A model as it is offered to plugins."""

    name: str
    type: str = "text"
    description: str = ""


MODELS = (
    Model("mistral:latest", "code", "code review, generation, debugging"),
    Model("qwen2.5:1.5b", "text", "multilingual text processing"),
    Model("gemma2:2b", "text", "lightweight text generation"),
    Model("llama3.2:latest", "text", "summarization, translation, Q&A"),
)
"""What plugins may call unless the operator says otherwise."""


def full_name(name: str) -> str:
    """The name with its tag, as Ollama completes it: ``mistral`` is ``mistral:latest``."""
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


class Catalog:
    """The approved models with their aliases; never changes while the broker runs.

    Args:
        models: what plugins may call.
        aliases: by such a name, the models of the servers that answer for it, the preferred one first.
    """

    def __init__(self, models: Iterable[Model], aliases: Mapping[str, Sequence[str]]) -> None:
        self._models = {full_name(model.name): model for model in models}
        self._targets = {full_name(name): tuple(map(full_name, targets)) for name, targets in aliases.items()}

    @classmethod
    def usual(cls, aliases: Mapping[str, Sequence[str]]) -> "Catalog":
        """The usual models, and those that answer for others under their own names too."""
        known = {full_name(model.name) for model in MODELS}
        answers_for: dict[str, list[str]] = {}
        for name, targets in aliases.items():
            for target in map(full_name, targets):
                if target not in known and target != full_name(name):
                    answers_for.setdefault(target, []).append(full_name(name))
        more = (Model(target, "text", f"answers for {', '.join(names)}") for target, names in answers_for.items())
        return cls((*MODELS, *more), aliases)

    @property
    def names(self) -> list[str]:
        """Names that plugins may use."""
        return list(self._models)

    def resolve(self, name: str) -> tuple[str, ...]:
        """The models of the servers that answer for ``name``, the preferred one first.

        Raises:
            AIFailure: plugins may not call it; the message names those that they may.
        """
        full = full_name(name.strip())
        if full not in self._models:
            raise AIFailure(
                f"model {name[:80]!r} is not approved, use one of: {', '.join(self._models)}",
                AIErrorCode.MODEL_NOT_ALLOWED,
            )
        return self._targets.get(full, (full,))

    def describe(self, available: Callable[[str], bool]) -> list[ModelInfo]:
        """Every approved model, and which of those that answer for it is available."""
        described = []
        for full, model in self._models.items():
            target = next((target for target in self._targets.get(full, (full,)) if available(target)), None)
            described.append(ModelInfo(full, model.type, model.description, target is not None, answered_by=target))
        return described
