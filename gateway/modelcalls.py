"""In how many places a plugin's text asks a model: what a list of plugins can say before anything ran."""

import re
from collections.abc import Iterable

_ASKS = re.compile(r"(?<!def )\b(?:call_ai|stream_ai|map_ai|chat|embed)\s*\(")


def original_count(texts: Iterable[str]) -> int:
    """How often the texts say ``call_ai(``, at least 1: ``calls`` of the original's HTTP shapes."""
    return max(1, sum(text.count("call_ai(") for text in texts))


def model_calls(texts: Iterable[str]) -> int:
    """How often modules that name ``platform_sdk`` call one of its functions that ask a model.

    Read as text, not compiled: what a comment says counts too, what goes by another name does not.
    """
    return sum(len(_ASKS.findall(text)) for text in texts if "platform_sdk" in text)
