"""A model server, whatever it speaks."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Literal, Protocol

from schemas.ai import ChatRequest, EmbedRequest, GenerateRequest, ToolCall
from schemas.errors import AIFailure

Kind = Literal["ollama", "openai"]


@dataclass(frozen=True, slots=True)
class Delta:
    """The next part of an answer. The last one is ``done`` and has the counts, as far as the server tells them."""

    text: str = ""
    tool_calls: tuple[ToolCall, ...] = ()
    done: bool = False
    cut: bool = False
    """Whether the answer ended at its bound of tokens rather than by itself."""
    prompt_tokens: int = 0
    output_tokens: int = 0
    pieces: int = 1
    """How many the server sent that are one here because they came together; about a token each."""


Answer = AsyncGenerator[Delta, None]
"""Parts of an answer as they come. Leaving it (``aclosing``) tells the model server to stop."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """One vector for each text, in their order."""

    vectors: list[list[float]]
    prompt_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Listed:
    """A model that a server has, as far as its list says."""

    name: str
    """As the server calls it."""
    size_bytes: int | None = None
    parameter_size: str | None = None
    quantization: str | None = None
    context_length: int | None = None
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a server tells of one model when asked for it."""

    context_length: int | None = None
    capabilities: tuple[str, ...] = ()


class Unreachable(AIFailure):
    """There is no connection to the server. A kind of its own, as words of a message may be a request's, repeated."""


class Backend(Protocol):
    """A model server. Time is the caller's business (``asyncio.timeout`` around a call); size and shape are checked.

    ``model`` is a name as the server calls it. Everything raises `AIFailure` with the code that fits, and a sentence.
    """

    @property
    def kind(self) -> Kind:
        """What it speaks."""

    @property
    def url(self) -> str:
        """Its address, without a password."""

    def generate(self, model: str, request: GenerateRequest, *, stream: bool) -> Answer:
        """Let ``model`` answer a prompt: piece by piece, or all in one `Delta`."""

    def chat(self, model: str, request: ChatRequest, *, stream: bool) -> Answer:
        """Let ``model`` go on with a conversation."""

    async def embed(self, model: str, request: EmbedRequest) -> Embedded:
        """Vectors of texts."""

    async def list_models(self) -> list[Listed]:
        """What the server has."""

    async def list_loaded(self) -> list[str]:
        """Names of the models that are in memory."""

    async def facts(self, model: str) -> Facts:
        """More of one model."""

    def close(self) -> None:
        """Close idle connections."""
