"""The models that plugins may call, and which model of the server answers for each."""

from collections.abc import Collection, Iterable, Mapping

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
    """The approved models with their aliases; never changes while the broker runs."""

    def __init__(self, models: Iterable[Model], aliases: Mapping[str, str]) -> None:
        self._models = {full_name(model.name): model for model in models}
        self._targets = {full_name(name): full_name(target) for name, target in aliases.items()}

    @classmethod
    def usual(cls, aliases: Mapping[str, str]) -> "Catalog":
        """The usual models, and those that answer for others under their own names too."""
        known = {full_name(model.name) for model in MODELS}
        answers_for: dict[str, list[str]] = {}
        for name, target in aliases.items():
            if full_name(target) not in known and full_name(target) != full_name(name):
                answers_for.setdefault(full_name(target), []).append(full_name(name))
        more = (Model(target, "text", f"answers for {', '.join(names)}") for target, names in answers_for.items())
        return cls((*MODELS, *more), aliases)

    @property
    def names(self) -> list[str]:
        """Names that plugins may use."""
        return list(self._models)

    def resolve(self, name: str) -> str:
        """The model of the server that answers for ``name``.

        Raises:
            AIFailure: plugins may not call it; the message names those that they may.
        """
        full = full_name(name.strip())
        if full not in self._models:
            raise AIFailure(
                f"model {name[:80]!r} is not approved, use one of: {', '.join(self._models)}",
                AIErrorCode.MODEL_NOT_ALLOWED,
            )
        return self._targets.get(full, full)

    def describe(self, server_models: Collection[str]) -> list[ModelInfo]:
        """Every approved model, and whether the server has what answers for it."""
        there = {full_name(name) for name in server_models}
        described = []
        for full, model in self._models.items():
            target = self._targets.get(full, full)
            available = target in there
            described.append(
                ModelInfo(full, model.type, model.description, available, answered_by=target if available else None)
            )
        return described
