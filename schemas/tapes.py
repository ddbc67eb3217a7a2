"""A tape: everything that one call took in and gave out, so that it can be run again, byte for byte, by itself.

JSON, version 1. A new field has a default; a change that an older reader would get wrong raises `VERSION`.
"""

import base64
import binascii
from typing import Any

import msgspec

from schemas.errors import InvalidInput
from schemas.limits import MIB, Limits, check_limits
from schemas.messages import PluginRevision

VERSION = 1
MAX_TAPE_BYTES = 7 * MIB
"""Longest tape that is kept; with its headers it fits into one message (`schemas.limits.MAX_PAYLOAD_BYTES`)."""
KEPT_SECONDS = 7 * 24 * 3600
"""How long a tape is kept."""
STREAM = "wasmforge-tapes"
"""The JetStream stream that keeps them, the oldest dropped first."""
STREAM_BYTES = 1024 * MIB
"""What all of them together may take."""

SEED_BYTES = 32
_CEILINGS = Limits(
    timeout_ms=24 * 3600 * 1000,
    cpu_ms=24 * 3600 * 1000,
    memory_bytes=4096 * MIB,
    ai_calls=1_000_000,
    input_bytes=1024 * MIB,
    output_bytes=1024 * MIB,
    log_bytes=1024 * MIB,
)
"""No operator's are higher; a tape is a stranger's."""

Text = str | dict[str, str]
"""Bytes: as a string if they are UTF-8, else ``{"base64": …}``; see `text_of` and `bytes_of`."""


class TapeStart(msgspec.Struct, frozen=True):
    """What time and chance begin from."""

    time_ns: int
    """Nanoseconds since 1970, UTC."""
    seed: bytes
    """32 bytes, in base64."""


class Exchange(msgspec.Struct, frozen=True):
    """One request of a plugin to the platform, and the answer."""

    request: Any = None
    """``{"operation": …, "arguments": {…}}``; ``{"base64": …}`` if it was no JSON; null: whatever is asked."""
    answer: Any = None
    """``{"ok": true, "value": …}`` or ``{"ok": false, "error": …, "code": …}``; null: the call ended before it came."""
    waited_us: int = 0
    """How long it was waited for; the plugin's clock has moved by this."""


class Ending(msgspec.Struct, frozen=True):
    """How a call that failed did."""

    error_type: str
    error: str
    code: str | None = None
    """Of an ``ai_error``."""


class Tape(msgspec.Struct, frozen=True, kw_only=True):
    """A recorded call."""

    version: int = VERSION
    recorded_at: str = ""
    """RFC 3339, UTC."""
    recorded_by: str = ""
    """Version of WasmForge; another one's interpreter may do something else."""
    execution_id: str = ""
    plugin: PluginRevision
    """With its source."""
    birth: TapeStart
    """Of the interpreter: its hash seed, the layout of its memory."""
    start: TapeStart
    """Of the call: its clock, its random numbers."""
    input: Text = ""
    exchanges: list[Exchange] = []
    output: Text = ""
    log: Text = ""
    ending: Ending | None = None
    """None: it went well."""


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """What a tape came to when it was run again (`executor.replay`)."""

    output: Text = ""
    log: Text = ""
    ending: Ending | None = None
    exchanges: list[Exchange] = []
    """What was asked this time, each with the tape's answer."""
    strayed: str | None = None
    """If the plugin asked for something that the tape has no answer to: what, and what the tape has instead."""
    unasked: int = 0
    """How many of the tape's answers nobody asked for."""


def text_of(data: bytes) -> Text:
    """Bytes as a tape holds them."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return binary(data)


def binary(data: bytes) -> dict[str, str]:
    """Bytes that are no text, as a tape holds them."""
    return {"base64": base64.b64encode(data).decode()}


def bytes_of(text: Text) -> bytes:
    """The bytes that a tape holds.

    Raises:
        InvalidInput: neither a string nor base64.
    """
    if isinstance(text, str):
        return text.encode("utf-8", "replace")
    try:
        return base64.b64decode(text["base64"], validate=True)
    except (KeyError, binascii.Error, ValueError):
        raise InvalidInput('bytes on a tape are a string or {"base64": …}') from None


def read_tape(data: bytes) -> Tape:
    """A tape out of its JSON.

    Raises:
        InvalidInput: it is none, or of a version that this program does not know.
    """
    try:
        version = msgspec.json.decode(data, type=_Version).version
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise InvalidInput(f"this is no tape of WasmForge: {error}") from None
    if version != VERSION:
        raise InvalidInput(f"this tape has version {version}, this program reads version {VERSION}")
    try:
        tape = msgspec.json.decode(data, type=Tape)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise InvalidInput(f"this tape can't be read: {error}") from None
    check_limits(tape.plugin.limits, _CEILINGS)
    for start in (tape.birth, tape.start):
        if not 0 <= start.time_ns < 2**63 or len(start.seed) != SEED_BYTES:
            raise InvalidInput(f"this tape can't be read: a start has a time since 1970 and {SEED_BYTES} bytes")
    return tape


def write_tape(tape: Tape) -> bytes:
    """A tape as JSON."""
    return msgspec.json.encode(tape)


class _Version(msgspec.Struct):
    version: int
