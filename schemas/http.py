"""Shapes of the HTTP API; OpenAPI is generated from these. Those of the original are unchanged, new keys come last."""

from typing import Any, Literal

import msgspec

from schemas.limits import Limits

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


class PluginCode(msgspec.Struct, frozen=True):
    """``GET /api/plugins/{name}/code``."""

    name: str
    code: str
    description: str
    input_type: InputType
    input_hint: str
    revision: str
    limits: Limits


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


JSONObject = dict[str, Any]
