"""Values out of environment variables, read and refused the same way by every service that uses this."""

from collections.abc import Mapping

from schemas.errors import InvalidInput


def read_number(environment: Mapping[str, str], name: str, default: float, low: float, high: float) -> float:
    """The number in variable ``name``; ``default`` if it is empty or not set.

    Raises:
        InvalidInput: not a number from ``low`` to ``high``; the message names the variable.
    """
    text = environment.get(name, "")
    if not text:
        return default
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise InvalidInput(f"{name} is {text!r}: give a number from {low:g} to {high:g}")
    return value


def read_log_level(text: str) -> str:
    """A level of `logging`, whatever its case.

    Raises:
        InvalidInput: it is none.
    """
    level = text.upper()
    if level not in ("DEBUG", "INFO", "WARNING", "ERROR"):
        raise InvalidInput(f"WASMFORGE_LOG is {text!r}: give DEBUG, INFO, WARNING or ERROR")
    return level
