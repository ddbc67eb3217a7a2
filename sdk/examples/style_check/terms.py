"""The style guide: a table that comes with the plugin."""

import csv
import re
from typing import NamedTuple


class Term(NamedTuple):
    """A word, or several, and what to write in its place."""

    pattern: re.Pattern[str]
    use: str
    why: str


def load(path: str) -> list[Term]:
    """All terms of a CSV file with the columns ``term``, ``use`` and ``why``."""
    with open(path, newline="", encoding="utf-8") as file:
        return [
            Term(re.compile(rf"\b{re.escape(row['term'])}\b", re.IGNORECASE), row["use"], row["why"])
            for row in csv.DictReader(file)
        ]
