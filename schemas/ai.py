"""Messages between whoever asks a model and the broker: JSON, one Struct each, on ``wasmforge.ai.<operation>``.

A request whose headers say ``Wasmforge-Stream: 1`` (generate and chat) is answered in pieces: each piece of text is
a message with ``Wasmforge-Event: output`` and UTF-8 as its body; the last one has ``Wasmforge-Final: 1`` and the same
reply as without streaming, the whole text in it. Headers say for whom it is: ``Wasmforge-Plugin``,
``Wasmforge-Caller``, ``Wasmforge-Execution-Id``, ``Wasmforge-Timeout-Ms``.
"""

from typing import Any, Literal

import msgspec

Role = Literal["system", "user", "assistant", "tool"]


class GenerateRequest(msgspec.Struct, frozen=True):
    """One prompt for one model."""

    model: str
    prompt: str
    system: str | None = None
    format: Any = None
    """``"json"`` or a JSON schema, which the answer then follows."""
    options: dict[str, Any] | None = None
    """Ollama's own options: temperature, seed, num_predict, …"""
    images: list[str] | None = None
    """Base64, for models that see."""
    cache: bool = False
    """Whether an equal request's answer will do; taken only with a fixed seed or temperature 0."""


class GenerateReply(msgspec.Struct, frozen=True):
    """A model's answer."""

    model: str
    """As it was asked for."""
    response: str
    answered_by: str
    """The model that really answered, which differs from ``model`` where a name is mapped."""
    prompt_tokens: int = 0
    output_tokens: int = 0
    duration_us: int = 0
    """From the request's arrival at the broker to its answer."""
    queue_us: int = 0
    """The part of it in which the request waited for its turn."""
    cached: bool = False


class ToolCall(msgspec.Struct, frozen=True, omit_defaults=True):
    """A function that a model wants called."""

    name: str
    arguments: dict[str, Any] = {}
    id: str | None = None


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """One turn of a conversation."""

    role: Role
    content: str = ""
    images: list[str] | None = None
    """Base64, for models that see."""
    tool_calls: list[ToolCall] | None = None
    """What the assistant asked to be called."""
    tool_name: str | None = None
    """With role ``tool``: whose result the content is."""
    tool_call_id: str | None = None


class ChatRequest(msgspec.Struct, frozen=True):
    """A conversation for a model to go on with."""

    model: str
    messages: list[Message]
    tools: list[dict[str, Any]] | None = None
    """As Ollama and OpenAI take them: ``{"type": "function", "function": {"name", "description", "parameters"}}``."""
    format: Any = None
    options: dict[str, Any] | None = None
    cache: bool = False


class ChatReply(msgspec.Struct, frozen=True):
    """A model's turn."""

    model: str
    message: Message
    answered_by: str
    prompt_tokens: int = 0
    output_tokens: int = 0
    duration_us: int = 0
    queue_us: int = 0
    cached: bool = False


class EmbedRequest(msgspec.Struct, frozen=True):
    """Texts to be turned into vectors."""

    model: str
    input: list[str]
    options: dict[str, Any] | None = None
    cache: bool = False


class EmbedReply(msgspec.Struct, frozen=True):
    """One vector for each text, in their order."""

    model: str
    embeddings: list[list[float]]
    answered_by: str
    prompt_tokens: int = 0
    duration_us: int = 0
    queue_us: int = 0
    cached: bool = False


class ModelInfo(msgspec.Struct, frozen=True):
    """A model that plugins may call; the first four fields are the original's."""

    name: str
    type: str
    description: str
    available: bool
    answered_by: str | None = None
    """The model of the model server that answers under this name; None while it is not available."""


class ModelDetails(msgspec.Struct, frozen=True):
    """More of a model, as far as its servers tell."""

    loaded: bool = False
    size_bytes: int | None = None
    parameter_size: str | None = None
    """Such as ``135M``."""
    quantization: str | None = None
    context_length: int | None = None
    capabilities: list[str] = []
    """``completion``, ``tools``, ``vision``, ``embedding``."""
    servers: list[str] = []
    """Addresses of the model servers that have it."""


class ModelServer(msgspec.Struct, frozen=True):
    """A model server as a broker sees it."""

    url: str
    """Without a password."""
    backend: Literal["ollama", "openai"]
    connected: bool
    error: str | None = None
    models: list[str] = []
    loaded: list[str] = []
    running: int = 0
    waiting: int = 0


class ModelsReply(msgspec.Struct, frozen=True):
    """Approved models and the state of the model servers."""

    models: list[ModelInfo]
    url: str
    """Address of the first model server."""
    connected: bool
    """Whether any of them answers."""
    server_models: list[str] = []
    """Names the model servers themselves list."""
    error: str | None = None
    """Why no model server can be used, if so."""
    servers: list[ModelServer] = []
    details: dict[str, ModelDetails] = {}
    """By the name in ``models``, for those that are available."""


class AIUse(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one execution used of models."""

    requests: int = 0
    """Answered ones; those served from the cache are among them."""
    failed: int = 0
    cached: int = 0
    prompt_tokens: int = 0
    output_tokens: int = 0
    queue_us: int = 0
    duration_us: int = 0
    models: list[str] = []
    """Those that answered, each once."""


class AIFinished(msgspec.Struct, frozen=True):
    """One request to the broker, as it is accounted for; published on `subjects.AI_EVENTS`."""

    operation: Literal["generate", "chat", "embed"]
    model: str
    time: str
    """When it ended, RFC 3339, UTC."""
    plugin: str = ""
    caller: str = ""
    execution_id: str = ""
    answered_by: str = ""
    server: str = ""
    success: bool = True
    error_code: str | None = None
    """`errors.AIErrorCode` of a request that was refused or failed."""
    cached: bool = False
    prompt_characters: int = 0
    prompt_tokens: int = 0
    output_tokens: int = 0
    queue_us: int = 0
    generation_us: int = 0


class Counters(msgspec.Struct):
    """Sums over requests of one model, plugin or caller since the broker started."""

    key: str
    requests: int = 0
    refused: dict[str, int] = {}
    """By `errors.AIErrorCode`."""
    cached: int = 0
    prompt_tokens: int = 0
    output_tokens: int = 0
    queue_us: int = 0
    generation_us: int = 0
    running: int = 0
    waiting: int = 0


class BudgetState(msgspec.Struct, frozen=True):
    """How much of a budget is used."""

    scope: Literal["execution", "plugin", "caller", "global"]
    key: str
    what: Literal["calls", "prompt_characters", "prompt_tokens", "output_tokens"]
    window: Literal["execution", "minute", "day"]
    used: int
    limit: int
    resets_in_ms: int


class UsageReply(msgspec.Struct, frozen=True):
    """One broker's counts, answered by every broker to an empty request on `subjects.AI_USAGE`."""

    broker: str
    since: str
    """RFC 3339, UTC."""
    models: list[Counters] = []
    plugins: list[Counters] = []
    callers: list[Counters] = []
    """Of plugins and callers those with the most requests."""
    budgets: list[BudgetState] = []
    """The same from every broker: budgets are shared."""
