"""One tree of errors, with their code on the wire, HTTP status and NATS code in one place.

    WasmForgeError
    ├── PluginError          plugin_error       500   the plugin raised
    ├── SandboxViolation     sandbox_violation  500   it tried what no sandbox allows
    ├── OutOfMemory          out_of_memory      500
    ├── OutputTooLarge       output_too_large   500
    ├── DeadlineExceeded     timeout            504
    ├── AIFailure            ai_error           502   carries a code, see `AIErrorCode`
    ├── InvalidInput         invalid_input      400
    ├── NotFound             not_found          404
    ├── TooLarge             too_large          413   carries both numbers
    ├── Busy                 busy               503   capacity: every executor is full
    ├── Unavailable          unavailable        503   a part of the platform is away; says which
    ├── Cancelled            cancelled          499   its caller went away, or asked for its end
    └── RuntimeFault         runtime_error      500   ours

On NATS an error reply carries `Nats-Service-Error-Code` (the HTTP status), `Nats-Service-Error` (one line),
`Wasmforge-Error-Type`, and the whole text as its body (ADR-32).
"""

from enum import StrEnum
from typing import ClassVar


class ErrorType(StrEnum):
    """The ``error_type`` of every error, on HTTP and on NATS."""

    PLUGIN_ERROR = "plugin_error"
    SANDBOX_VIOLATION = "sandbox_violation"
    OUT_OF_MEMORY = "out_of_memory"
    OUTPUT_TOO_LARGE = "output_too_large"
    TIMEOUT = "timeout"
    AI_ERROR = "ai_error"
    INVALID_INPUT = "invalid_input"
    NOT_FOUND = "not_found"
    TOO_LARGE = "too_large"
    BUSY = "busy"
    UNAVAILABLE = "unavailable"
    CANCELLED = "cancelled"
    RUNTIME_ERROR = "runtime_error"


class AIErrorCode(StrEnum):
    """Why an AI call failed: the ``code`` of the plugin's ``AIError``."""

    MODEL_NOT_ALLOWED = "model_not_allowed"
    MODEL_NOT_FOUND = "model_not_found"
    INVALID_PROMPT = "invalid_prompt"
    PROMPT_TOO_LONG = "prompt_too_long"
    TOO_MANY_CALLS = "too_many_calls"
    UNAVAILABLE = "unavailable"
    TIMEOUT = "timeout"
    REFUSED = "refused"
    BROKEN_REPLY = "broken_reply"
    BUSY = "busy"
    BUDGET_EXCEEDED = "budget_exceeded"
    FORMAT_MISMATCH = "format_mismatch"
    NOT_SUPPORTED = "not_supported"
    CANCELLED = "cancelled"


class WasmForgeError(Exception):
    """Base of all errors a caller can meet. ``str(error)`` is a text that says what to do."""

    error_type: ClassVar[ErrorType] = ErrorType.RUNTIME_ERROR
    http_status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"

    def __init__(self, message: str, *, retry_after_seconds: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after_seconds = retry_after_seconds
        self.retry_after_ms: int | None = None  # more exact, where it is known
        self.execution_id: str | None = None  # set where the call is known


class PluginError(WasmForgeError):
    """The plugin raised; the message is its traceback with line numbers of its own source."""

    error_type = ErrorType.PLUGIN_ERROR
    title = "The plugin failed"


class SandboxViolation(WasmForgeError):
    """The plugin tried what no sandbox allows and did not catch the refusal."""

    error_type = ErrorType.SANDBOX_VIOLATION
    title = "The plugin tried what the sandbox does not allow"


class OutOfMemory(WasmForgeError):
    """The plugin needed more memory than its limit."""

    error_type = ErrorType.OUT_OF_MEMORY
    title = "The plugin ran out of memory"


class OutputTooLarge(WasmForgeError):
    """The plugin's output passed its limit."""

    error_type = ErrorType.OUTPUT_TOO_LARGE
    title = "The plugin's output is too large"


class DeadlineExceeded(WasmForgeError):
    """The call took longer than it may. The plugin is dead, not running on."""

    error_type = ErrorType.TIMEOUT
    http_status = 504
    title = "The time is up"


class AIFailure(WasmForgeError):
    """The model service refused or failed."""

    error_type = ErrorType.AI_ERROR
    http_status = 502
    title = "The model service refused or failed"

    def __init__(
        self,
        message: str,
        code: AIErrorCode,
        *,
        retry_after_seconds: int | None = None,
        retry_after_ms: int | None = None,
    ) -> None:
        if retry_after_ms is not None and retry_after_seconds is None:
            retry_after_seconds = -(-retry_after_ms // 1000)
        super().__init__(message, retry_after_seconds=retry_after_seconds)
        self.code = code
        self.retry_after_ms = retry_after_ms


class InvalidInput(WasmForgeError):
    """The caller sent something that can't be used."""

    error_type = ErrorType.INVALID_INPUT
    http_status = 400
    title = "The request can't be used"


class Conflict(InvalidInput):
    """Somebody else changed what the caller was about to change."""

    http_status = 409
    title = "Somebody else was quicker"


class NotFound(WasmForgeError):
    """There is no such plugin or revision."""

    error_type = ErrorType.NOT_FOUND
    http_status = 404
    title = "Not found"


class TooLarge(WasmForgeError):
    """The input is over its limit."""

    error_type = ErrorType.TOO_LARGE
    http_status = 413
    title = "The input is too large"

    def __init__(self, what: str, *, size_bytes: int | None, limit_bytes: int) -> None:
        size = "more" if size_bytes is None else f"{size_bytes:,} bytes"
        super().__init__(f"{what} is {size}, the limit is {limit_bytes:,} bytes")
        self.size_bytes = size_bytes
        self.limit_bytes = limit_bytes


class Busy(WasmForgeError):
    """No capacity is free now; the same call may well succeed a little later."""

    error_type = ErrorType.BUSY
    http_status = 503
    title = "Every executor is busy"

    def __init__(self, message: str, *, retry_after_seconds: int = 1) -> None:
        super().__init__(message, retry_after_seconds=retry_after_seconds)


class Unavailable(WasmForgeError):
    """A part of the platform is away; the message says which."""

    error_type = ErrorType.UNAVAILABLE
    http_status = 503
    title = "A part of the platform is away"

    def __init__(self, message: str, *, retry_after_seconds: int = 2) -> None:
        super().__init__(message, retry_after_seconds=retry_after_seconds)


class Cancelled(WasmForgeError):
    """Whoever called wants the answer no more. The plugin is dead, not running on."""

    error_type = ErrorType.CANCELLED
    http_status = 499
    title = "The call was cancelled"


class RuntimeFault(WasmForgeError):
    """The platform itself failed."""

    error_type = ErrorType.RUNTIME_ERROR
    title = "The platform failed"


_SIMPLE: dict[ErrorType, type[WasmForgeError]] = {
    cls.error_type: cls
    for cls in (
        PluginError, SandboxViolation, OutOfMemory, OutputTooLarge, DeadlineExceeded,
        InvalidInput, NotFound, Busy, Unavailable, Cancelled, RuntimeFault,
    )
}  # fmt: skip


class RemoteTooLarge(TooLarge):
    """A `TooLarge` that another service found: only its text is known."""

    def __init__(self, message: str) -> None:
        WasmForgeError.__init__(self, message)
        self.size_bytes = None
        self.limit_bytes = 0


def from_wire(error_type: str, message: str, code: str | None = None) -> WasmForgeError:
    """The error that a reply with these headers stands for; an unknown type becomes `RuntimeFault`."""
    if error_type == ErrorType.AI_ERROR:
        known = {str(known): known for known in AIErrorCode}
        return AIFailure(message, known.get(code or "", AIErrorCode.BROKEN_REPLY))
    if error_type == ErrorType.TOO_LARGE:
        return RemoteTooLarge(message)
    try:
        return _SIMPLE[ErrorType(error_type)](message)
    except (ValueError, KeyError):
        return RuntimeFault(message)
