"""Shapes of the HTTP API; OpenAPI is generated from these. Those of the original are unchanged, new keys come last."""

from typing import Any, Literal

import msgspec

from schemas.ai import BudgetState, Counters, Message, ModelServer
from schemas.limits import Limits
from schemas.messages import SourceProblem

InputType = Literal["text", "file", "json"]


class SandboxInfo(msgspec.Struct, frozen=True):
    """How one executor keeps plugins in, beside WebAssembly."""

    executor: str
    engine: str
    """Compiled engine in use; its name ends in the optimisation level."""
    confinement: str
    """What the operator asked for: ``required`` or ``best-effort``."""
    layers: list[str]
    """Layers of confinement in force."""
    missing: dict[str, str]
    """Layers that are not, each with the kernel's reason."""
    sandbox: str = "wasmedge"
    """Or ``insecure-subprocess``: plugins run in plain processes, without any isolation."""


class Health(msgspec.Struct, frozen=True):
    """``GET /health``. ``status`` is ``ok`` when every part answers, else ``degraded``."""

    status: str
    wasmedge: bool
    """Whether an executor with a WasmEdge sandbox answers."""
    nats: bool
    database: bool
    models: bool
    """Whether a broker answers and its model server is connected."""
    executors: int
    problems: list[str]
    """One sentence for each part that is away."""
    version: str
    sandboxes: list[SandboxInfo] = []
    """One for each executor that answered."""
    warnings: list[str] = []
    """One sentence for each thing that works and should not be like that."""


class OllamaHealth(msgspec.Struct, frozen=True, omit_defaults=True):
    """``GET /health/ollama``: ``models`` when connected, ``error`` when not."""

    status: Literal["connected", "disconnected"]
    url: str
    models: list[str] | None = None
    error: str | None = None


class PluginSummary(msgspec.Struct, frozen=True):
    """One line of ``GET /api/plugins/list``."""

    name: str
    description: str
    input_type: InputType
    input_hint: str
    calls: int
    """How often the source says ``call_ai(``, at least 1."""
    revision: str
    updated_at: str
    model_calls: int = 0
    """In how many places its modules call a function of the sdk that asks a model."""


class PluginFile(msgspec.Struct, frozen=True):
    """One file of a plugin."""

    path: str
    bytes: int
    checksum: str = ""
    """CRC-32 of its content, 8 hexadecimal digits: tells changed files from others, not hostile ones."""


class PluginCode(msgspec.Struct, frozen=True):
    """``GET /api/plugins/{name}/code``; ``code`` is the text of the file that runs."""

    name: str
    code: str
    description: str
    input_type: InputType
    input_hint: str
    revision: str
    limits: Limits
    files: list[PluginFile] = []
    number: int = 0
    """Of its revision, counted from 1."""
    updated_at: str = ""
    """RFC 3339, UTC."""
    model_calls: int = 0
    """In how many places its modules call a function of the sdk that asks a model."""


class Uploaded(msgspec.Struct, frozen=True):
    """Reply of ``POST /api/plugins/upload``."""

    status: Literal["uploaded"]
    name: str
    code: str
    description: str
    input_type: InputType
    input_hint: str
    calls: int
    revision: str
    limits: Limits
    files: list[PluginFile] = []
    model_calls: int = 0
    """In how many places its modules call a function of the sdk that asks a model."""


class Deleted(msgspec.Struct, frozen=True):
    """Reply of ``DELETE /api/plugins/{name}``."""

    status: Literal["deleted"]
    name: str


class RunResult(msgspec.Struct, frozen=True):
    """Reply of ``POST /api/plugins/run``."""

    success: bool
    output: str
    error: str | None = None
    error_type: str | None = None
    execution_id: str | None = None
    phases_us: dict[str, int] = {}


class Detail(msgspec.Struct, frozen=True):
    """An error as the original reports it."""

    detail: str


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """An error of ``/fn``: RFC 9457, with the platform's own members."""

    type: str
    title: str
    status: int
    detail: str
    error_type: str
    error: str
    execution_id: str | None = None
    retry_after_seconds: int | None = None
    phases_us: dict[str, int] | None = None
    code: str | None = None
    """Of an ``ai_error``: one of `schemas.errors.AIErrorCode`."""


class StreamDone(msgspec.Struct, frozen=True):
    """Data of the last event of a stream, ``event: done``."""

    success: bool
    error: str | None
    error_type: str | None
    execution_id: str
    phases: dict[str, int]
    """Microseconds."""
    code: str | None = None
    """Of an ``ai_error``: one of `schemas.errors.AIErrorCode`."""
    ai_calls: int = 0
    ai_prompt_tokens: int = 0
    ai_output_tokens: int = 0


class TryRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``POST /api/plugins/try``: a plugin to be run once without being deployed."""

    source: str
    input: str | None = None
    input_base64: bytes | None = None
    """Instead of ``input``, for what is not text."""
    limits: dict[str, int] = {}
    """Those that differ from the usual ones."""


class TryResult(RunResult, frozen=True, kw_only=True):
    """Reply of ``POST /api/plugins/try``; output that is not UTF-8 has U+FFFD in it."""

    log: str = ""


class CheckedSource(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``POST /api/plugins/check``: a source to be looked at, not run."""

    source: str


class Checked(msgspec.Struct, frozen=True):
    """Reply of ``POST /api/plugins/check``."""

    ok: bool
    problems: list[SourceProblem]


class RevisionSummary(msgspec.Struct, frozen=True):
    """One line of ``GET /api/plugins/{name}/revisions``."""

    revision: str
    number: int
    """Counts from 1 for each plugin."""
    created_at: str
    current: bool
    source_bytes: int
    limits: Limits


class RevisionCode(msgspec.Struct, frozen=True):
    """``GET /api/plugins/{name}/revisions/{revision}``."""

    name: str
    revision: str
    number: int
    created_at: str
    current: bool
    code: str
    limits: Limits
    files: list[PluginFile] = []


class RollBack(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``POST /api/plugins/{name}/rollback``."""

    revision: str


class RolledBack(msgspec.Struct, frozen=True):
    """Reply of ``POST /api/plugins/{name}/rollback``."""

    status: Literal["rolled_back"]
    name: str
    revision: str


class ModelLine(msgspec.Struct, frozen=True):
    """One model of ``GET /api/models``."""

    name: str
    type: str
    description: str
    available: bool
    answered_by: str | None
    loaded: bool
    size_bytes: int | None
    parameter_size: str | None
    quantization: str | None
    context_length: int | None
    capabilities: list[str]
    servers: list[str]


class ModelPage(msgspec.Struct, frozen=True):
    """``GET /api/models``."""

    connected: bool
    models: list[ModelLine]
    servers: list[ModelServer]
    error: str | None = None


class AskModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``POST /api/models/chat``."""

    model: str
    messages: list[Message]
    options: dict[str, Any] | None = None


class AnswerDone(msgspec.Struct, frozen=True):
    """Data of the last event of a streamed ``POST /api/models/chat``."""

    success: bool
    error: str | None = None
    error_type: str | None = None
    code: str | None = None
    """Of an ``ai_error``: one of `schemas.errors.AIErrorCode`."""
    answered_by: str | None = None
    prompt_tokens: int = 0
    output_tokens: int = 0
    duration_us: int = 0
    queue_us: int = 0


class Platform(msgspec.Struct, frozen=True):
    """``GET /api/platform``: what a client has to know beside the gateway's own address."""

    nats: str
    """Where NATS is for clients: ``nats://host:port``, without credentials."""


class Usage(msgspec.Struct, frozen=True):
    """``GET /api/ai/usage``: the counts of all brokers together."""

    brokers: int
    since: str
    """When the first of them started, RFC 3339, UTC; empty if there is none."""
    models: list[Counters]
    plugins: list[Counters]
    callers: list[Counters]
    budgets: list[BudgetState]
