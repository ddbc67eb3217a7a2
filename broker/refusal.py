"""How a request is refused before a model server hears of it, and the checks that several of its parts share."""

from typing import Any

import msgspec

from schemas.errors import AIErrorCode, AIFailure
from schemas.limits import MAX_PROMPT_CHARACTERS


def invalid(message: str) -> AIFailure:
    """The request makes no sense; the message says what would."""
    return AIFailure(message, AIErrorCode.INVALID_PROMPT)


def check_length(what: str, text: str, most: int = MAX_PROMPT_CHARACTERS) -> None:
    """Refuse a text over the limit.

    Raises:
        AIFailure: names both numbers.
    """
    if len(text) > most:
        raise too_long(what, len(text), most)


def too_long(what: str, characters: int, most: int) -> AIFailure:
    """Text over its limit."""
    return AIFailure(f"the {what} has {characters:,} characters, the limit is {most:,}", AIErrorCode.PROMPT_TOO_LONG)


def check_json(what: str, value: Any, most_bytes: int, most_depth: int) -> None:
    """Refuse JSON that is too large or nested too deep; ``what`` begins the sentence that says so.

    Raises:
        AIFailure: names the limit.
    """
    if not _shallow(value, most_depth):
        raise invalid(f"{what} nested more than {most_depth} deep")
    if (size := len(msgspec.json.encode(value))) > most_bytes:
        raise invalid(f"{what} of {size:,} bytes, the limit is {most_bytes:,}")


def _shallow(value: Any, depth: int) -> bool:
    if not isinstance(value, dict | list):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return depth > 0 and all(_shallow(each, depth - 1) for each in inner)
