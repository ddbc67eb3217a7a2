"""What a plugin raised, in words for whoever wrote it."""

import json
import traceback
import types

from .absent import REASONS, THREADS
from .channel import RESULT, send

AIError = ()
"""The SDK's exception; boot sets it."""

no_files = "The sandbox has no files, no network and no processes."
NO_OTHER_FILES = "The sandbox has no files but the plugin's own, which can only be read, no network and no processes."

_MAX_CHARACTERS = 16_000
_MAX_FRAMES = 200
# Where the standard library was compiled, which is of no use to anybody who reads a traceback.
_BUILT_IN = json.dumps.__code__.co_filename.removesuffix("json/__init__.py")
# Errno values with which the sandbox refuses: EACCES, ENOENT, ENOSYS, ENOTSUP, EPERM, ENOTCAPABLE.
_REFUSALS = frozenset((2, 44, 52, 58, 63, 76))


def report(error, _send=send):
    """Send the RESULT of a run that raised ``error``, or None."""
    try:
        kind, text = outcome(error) if error is not None else ("", "")
    except MemoryError:
        kind, text = "out_of_memory", "the plugin ran out of memory"
    except BaseException as second:
        kind, text = "plugin_error", f"{type(error).__name__} (its traceback can't be printed: {type(second).__name__})"
    _send(RESULT + kind.encode("utf-8", "replace") + b"\0" + text.encode("utf-8", "replace"))


def outcome(error):
    """(error type, text) for what the plugin raised; ("", "") if it ended well."""
    if isinstance(error, SystemExit):
        code = error.code
        if code is None or code == 0:
            return "", ""
        text = f"the plugin ended with exit status {code}" if isinstance(code, int) else str(code)
        return "plugin_error", _cut(text)
    hint = ""
    kind = "plugin_error"
    if isinstance(error, MemoryError):
        # CPython's parser says so too when a source is nested too deeply.
        too_deep = error.args and str(error.args[0]).startswith("Parser stack overflow")
        kind = "plugin_error" if too_deep else "out_of_memory"
    elif isinstance(error, AIError):
        kind = f"ai_error:{error.code}"
    elif (refusal := _refusal(error)) is not None:
        kind = "sandbox_violation"
        hint = f"\n{refusal}"
    # The first frame is `serve` itself, which is none of the plugin's business.
    trace = error.__traceback__.tb_next if error.__traceback__ is not None else None
    text = "".join(traceback.format_exception(type(error), error, trace, _MAX_FRAMES))
    text = text.replace(_BUILT_IN, "lib/python3.12/")
    return kind, _cut(text).rstrip() + hint


def _refusal(error):
    """Why the sandbox refused what the plugin tried; None if it did not."""
    if isinstance(error, OSError):
        return no_files if error.errno in _REFUSALS else None
    what = ""
    if isinstance(error, ModuleNotFoundError):
        what = str(error.name).removeprefix("_")
    elif isinstance(error, AttributeError) and isinstance(error.obj, types.ModuleType):
        what = f"{error.obj.__name__}.{error.name}".removeprefix("_")
    elif isinstance(error, RuntimeError) and error.args == ("can't start new thread",):
        return f"The sandbox refused: {THREADS}."
    return f"The sandbox does not have {what}: {REASONS[what]}." if what in REASONS else None


def _cut(text):
    if len(text) <= _MAX_CHARACTERS:
        return text
    half = _MAX_CHARACTERS // 2
    return f"{text[:half]}\n… {len(text) - 2 * half} characters left out …\n{text[-half:]}"
