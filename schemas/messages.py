"""Every message on NATS that is not a plugin's own input or output: JSON, one Struct each.

A new field has a default; the type of a field never changes; unknown fields are ignored by readers, so services of
neighbouring versions understand one another. Lengths of time say their unit in their name.
"""

from typing import Literal

import msgspec

from schemas.ai import AIUse
from schemas.limits import Limits


class PluginQuery(msgspec.Struct, frozen=True):
    """Asks a gateway for a plugin (its name is in the subject)."""

    revision: str | None = None
    """Digest of a revision; None means the current one."""


class PluginRevision(msgspec.Struct, frozen=True):
    """What an executor needs to run a plugin. Immutable: the digest covers source, limits and files."""

    name: str
    digest: str
    """SHA-256 in hexadecimal, see `schemas.digest.revision_digest`."""
    source: str
    """Of a zip: the text of its main file."""
    limits: Limits = Limits()
    archive: bytes | None = None
    """All files, if it is a zip: one that `schemas.archive.pack` made."""


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
    archive: bytes | None = None
    """As in `PluginRevision`."""


class SourceProblem(msgspec.Struct, frozen=True):
    """What is wrong at one place of a source; lines and columns count from 1."""

    message: str
    line: int | None = None
    column: int | None = None
    end_line: int | None = None
    end_column: int | None = None
    severity: Literal["error", "warning"] = "error"
    file: str | None = None
    """Path in the plugin's zip; None if it is a single file."""


class CheckReply(msgspec.Struct, frozen=True):
    """What the sandbox's compiler said; ``line`` and ``column`` count from 1."""

    ok: bool
    """Whether it can be deployed: no problem is an error."""
    message: str = ""
    line: int | None = None
    column: int | None = None
    problems: list[SourceProblem] = []
    """Everything that was found, errors first; the first error is above, too."""
    file: str | None = None
    """Where the first error is, as in `SourceProblem`."""


class DraftRun(msgspec.Struct, frozen=True):
    """A plugin to be run once without being deployed; headers and replies are those of a call."""

    source: str
    input: bytes = b""
    limits: Limits = Limits()


class Cancel(msgspec.Struct, frozen=True):
    """Whoever asked something wants the answer no more. The inbox names the request: nobody else knows it."""

    reply_to: str


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
    ai: AIUse = AIUse()
    log: str = ""
