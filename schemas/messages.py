"""Every message on NATS that is not a plugin's own input or output: JSON, one Struct each.

A new field has a default; the type of a field never changes; unknown fields are ignored by readers, so services of
neighbouring versions understand one another. Lengths of time say their unit in their name.
"""

from typing import Any, Literal

import msgspec

from schemas.limits import Limits


class PluginQuery(msgspec.Struct, frozen=True):
    """Asks a gateway for a plugin (its name is in the subject)."""

    revision: str | None = None
    """Digest of a revision; None means the current one."""


class PluginRevision(msgspec.Struct, frozen=True):
    """What an executor needs to run a plugin. Immutable: the digest covers source and limits."""

    name: str
    digest: str
    """SHA-256 in hexadecimal, see `schemas.digest.revision_digest`."""
    source: str
    limits: Limits = Limits()


class PluginChanged(msgspec.Struct, frozen=True):
    """A plugin was deployed or deleted; whoever remembers it by name forgets it."""

    name: str
    change: Literal["deployed", "deleted"]
    digest: str | None = None
    time: str = ""
    """RFC 3339, UTC."""


class CheckRequest(msgspec.Struct, frozen=True):
    """Source to be compiled, not run, in a sandbox."""

    source: str


class CheckReply(msgspec.Struct, frozen=True):
    """What the sandbox's compiler said; ``line`` and ``column`` count from 1."""

    ok: bool
    message: str = ""
    line: int | None = None
    column: int | None = None


class GenerateRequest(msgspec.Struct, frozen=True):
    """One prompt for one model."""

    model: str
    prompt: str
    system: str | None = None
    format: Any = None
    """``"json"`` or a JSON schema."""
    options: dict[str, Any] | None = None
    """Ollama's own options: temperature, seed, num_predict, …"""


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


class ModelInfo(msgspec.Struct, frozen=True):
    """A model that plugins may call; the first four fields are the original's."""

    name: str
    type: str
    description: str
    available: bool
    answered_by: str | None = None
    """The model of the model server that answers under this name; None while it is not available."""


class ModelsReply(msgspec.Struct, frozen=True):
    """Approved models and the state of the model server."""

    models: list[ModelInfo]
    url: str
    """Address of the model server."""
    connected: bool
    server_models: list[str] = []
    """Names the model server itself lists."""
    error: str | None = None
    """Why the model server can't be used, if so."""


class ExecutionFinished(msgspec.Struct, frozen=True):
    """One call, as it is billed and looked at later."""

    execution_id: str
    plugin: str
    executor: str
    success: bool
    time: str
    """When it ended, RFC 3339, UTC."""
    revision: str | None = None
    caller: str | None = None
    error_type: str | None = None
    error: str | None = None
    phases_us: dict[str, int] = {}
    cpu_us: int = 0
    peak_memory_bytes: int = 0
    input_bytes: int = 0
    output_bytes: int = 0
    ai_calls: int = 0
    log: str = ""
