"""What the command's exit code tells a script."""

from enum import IntEnum

from schemas.errors import ErrorType, WasmForgeError


class Exit(IntEnum):
    """Exit codes of ``wasmforge``."""

    OK = 0
    PLUGIN_FAILED = 1
    """The plugin raised, ran over a limit, or a model failed it. The same call will likely fail again."""
    USAGE = 2
    """What was asked for can't be done: wrong arguments, no such plugin, source that does not compile, too large."""
    AWAY = 3
    """WasmForge can't be reached, is busy or failed. The same call may succeed later."""
    INTERRUPTED = 130
    BROKEN_PIPE = 141


_USAGE = {ErrorType.INVALID_INPUT, ErrorType.NOT_FOUND, ErrorType.TOO_LARGE}
_AWAY = {ErrorType.BUSY, ErrorType.UNAVAILABLE, ErrorType.RUNTIME_ERROR}


def exit_code(error: WasmForgeError) -> Exit:
    """The exit code for an error."""
    if error.error_type in _USAGE:
        return Exit.USAGE
    if error.error_type in _AWAY:
        return Exit.AWAY
    return Exit.PLUGIN_FAILED
