"""NATS headers of a call and of its replies. HTTP uses the same names.

A plain call gets exactly one reply. A call with ``Wasmforge-Stream: 1`` gets one reply per piece of output or log
(``Wasmforge-Event``), the last one marked ``Wasmforge-Final: 1`` (ADR-47). A call with ``Wasmforge-Heartbeat-Ms``
gets an empty ``Wasmforge-Event: heartbeat`` that often while it waits or runs, so that its caller learns within a
few heartbeats that the executor is gone.
"""

from collections.abc import Mapping

from schemas.errors import AIFailure, WasmForgeError, from_wire

EXECUTION_ID = "Wasmforge-Execution-Id"
TIMEOUT_MS = "Wasmforge-Timeout-Ms"
REVISION = "Wasmforge-Revision"
CALLER = "Wasmforge-Caller"
PLUGIN = "Wasmforge-Plugin"
"""On a request to the broker: the plugin for whose sake it is made. Set by the executor, never by a caller."""
RECORD = "Wasmforge-Record"
"""``1`` on a call: keep a tape of it."""
TAPE = "Wasmforge-Tape"
"""On the reply of a recorded call: `TAPE_KEPT`, or `TAPE_LOST`, a colon and why."""
TAPE_KEPT = "kept"
TAPE_LOST = "lost"
TRACEPARENT = "traceparent"
STREAM = "Wasmforge-Stream"
HEARTBEAT_MS = "Wasmforge-Heartbeat-Ms"

EVENT = "Wasmforge-Event"
EVENT_OUTPUT = "output"
EVENT_LOG = "log"
EVENT_HEARTBEAT = "heartbeat"
FINAL = "Wasmforge-Final"
PHASE_PREFIX = "Wasmforge-Phase-"
"""Followed by a phase name and ``-Us``: its length in microseconds, e.g. ``Wasmforge-Phase-Run-Us: 412``."""
AI_CALLS = "Wasmforge-Ai-Calls"
AI_PROMPT_TOKENS = "Wasmforge-Ai-Prompt-Tokens"
AI_OUTPUT_TOKENS = "Wasmforge-Ai-Output-Tokens"
AI_USE = (AI_CALLS, AI_PROMPT_TOKENS, AI_OUTPUT_TOKENS)
"""What a call used of models: whole numbers, left out where they are zero."""
EXECUTOR = "Wasmforge-Executor"

ERROR_TYPE = "Wasmforge-Error-Type"
ERROR_CODE = "Wasmforge-Error-Code"
RETRY_AFTER = "Retry-After"
RETRY_AFTER_MS = "Wasmforge-Retry-After-Ms"
SERVICE_ERROR = "Nats-Service-Error"
SERVICE_ERROR_CODE = "Nats-Service-Error-Code"

REPLY_TO = "Wasmforge-Reply-To"
"""On a passed-on call: where its caller waits. Must be an inbox."""

PHASES = ("queue", "prepare", "restore", "run", "ai_wait", "reply")
"""Phases of a call in the order in which they happen; ``ai_wait`` is a part of ``run``."""

_MAX_LINE = 500
_MAX_DIGITS = 15


def phase_header(phase: str) -> str:
    """Header name of a phase: ``ai_wait`` → ``Wasmforge-Phase-Ai-Wait-Us``."""
    return f"{PHASE_PREFIX}{phase.replace('_', '-').title()}-Us"


_PHASE_HEADERS = {phase: phase_header(phase) for phase in PHASES}


def put_phases(headers: dict[str, str], phases_us: Mapping[str, int]) -> None:
    """Write phase lengths (microseconds) into ``headers``."""
    for phase, length_us in phases_us.items():
        headers[_PHASE_HEADERS[phase]] = str(length_us)


def get_phases(headers: Mapping[str, str]) -> dict[str, int]:
    """Phase lengths (microseconds) out of ``headers``; what is not a number is left out."""
    found = {}
    for phase, header in _PHASE_HEADERS.items():
        value = headers.get(header, "")
        if value.isdecimal() and len(value) <= _MAX_DIGITS:
            found[phase] = int(value)
    return found


def put_ai_use(headers: dict[str, str], calls: int, prompt_tokens: int, output_tokens: int) -> None:
    """Write what a call used of models into ``headers``."""
    for name, number in zip(AI_USE, (calls, prompt_tokens, output_tokens), strict=True):
        if number:
            headers[name] = str(number)


def get_ai_use(headers: Mapping[str, str]) -> tuple[int, int, int]:
    """Calls, prompt tokens and output tokens out of ``headers``; what is not a number counts as zero."""
    calls, prompt_tokens, output_tokens = (_number(headers.get(name, "")) for name in AI_USE)
    return calls, prompt_tokens, output_tokens


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _MAX_DIGITS else 0


def put_error(headers: dict[str, str], error: WasmForgeError) -> None:
    """Write an error into the headers of a reply; its whole text belongs into the body."""
    lines = error.message.strip().splitlines() or [error.title]
    # A traceback's last line says the most; headers can't hold line breaks.
    summary = "".join(c for c in lines[-1] if c.isprintable())
    headers[SERVICE_ERROR] = summary.encode("ascii", "replace").decode()[:_MAX_LINE] or error.title
    headers[SERVICE_ERROR_CODE] = str(error.http_status)
    headers[ERROR_TYPE] = str(error.error_type)
    if isinstance(error, AIFailure):
        headers[ERROR_CODE] = str(error.code)
    if error.retry_after_seconds is not None:
        headers[RETRY_AFTER] = str(error.retry_after_seconds)
    if error.retry_after_ms is not None:
        headers[RETRY_AFTER_MS] = str(error.retry_after_ms)


def get_error(headers: Mapping[str, str] | None, body: bytes) -> WasmForgeError | None:
    """The error a reply stands for, or None if it is not an error."""
    if not headers or (SERVICE_ERROR_CODE not in headers and ERROR_TYPE not in headers):
        return None
    message = body.decode("utf-8", "replace") or headers.get(SERVICE_ERROR, "")
    error = from_wire(headers.get(ERROR_TYPE, ""), message, headers.get(ERROR_CODE))
    retry_after = headers.get(RETRY_AFTER, "")
    if retry_after.isdecimal() and len(retry_after) <= _MAX_DIGITS:
        error.retry_after_seconds = int(retry_after)
    retry_after_ms = headers.get(RETRY_AFTER_MS, "")
    if retry_after_ms.isdecimal() and len(retry_after_ms) <= _MAX_DIGITS:
        error.retry_after_ms = int(retry_after_ms)
    return error
