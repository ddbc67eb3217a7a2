"""Where in a text something is."""

import bisect
import re
from collections.abc import Iterator


class Places:
    """Finds patterns in a text, and says on which line and in which column, counted from 1."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def find(self, pattern: re.Pattern[str]) -> Iterator[tuple[str, tuple[int, int]]]:
        """(what was found, (line, column)), in the order of the text."""
        for match in pattern.finditer(self._text):
            line = bisect.bisect_right(self._starts, match.start())
            yield match.group(), (line, match.start() - self._starts[line - 1] + 1)
