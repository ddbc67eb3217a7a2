"""What a plugin may be called: one token of a NATS subject, one segment of a URL, one file name."""

import re

from schemas.errors import InvalidInput

DRAFT = "_draft"
"""Stands in records and accounts where a plugin's name would, for one that is run without being deployed. No plugin
can be called so."""

MAX_NAME_CHARACTERS = 64
NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
_NAME = re.compile(NAME_PATTERN)


def check_plugin_name(name: str) -> str:
    """Return ``name`` if a plugin may be called so.

    Raises:
        InvalidInput: says which characters and lengths are allowed.
    """
    # fullmatch, because "$" would also match before a final newline.
    if _NAME.fullmatch(name) is None:
        raise InvalidInput(
            f"{name[:80]!r} can't be a plugin's name: use 1 to {MAX_NAME_CHARACTERS} letters, digits, '-' or '_', "
            "starting with a letter or digit"
        )
    return name
