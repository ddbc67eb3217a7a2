"""Takes addresses, names of users and secrets out of a log; what is the same stays the same. Calls no model.

Input: log lines.
Call:  journalctl -u nginx | wasmforge run anonymize_log > shareable.log
"""

import re

from platform_sdk import get_input, send_output

# The order matters: a token may hold what looks like an address.
PATTERNS = {
    "SECRET": r"(?<=[Bb]earer )[\w.~+/-]+=*|(?<=password=)[^\s&,;]+|(?<=token=)[^\s&,;]+|(?<=api_key=)[^\s&,;]+",
    "EMAIL": r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+",
    "UUID": r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b",
    "IPV4": r"\b(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)\b",
    "IPV6": r"\b(?:[0-9a-fA-F]{1,4}:){3,7}[0-9a-fA-F]{1,4}\b|\b(?:[0-9a-fA-F]{1,4}:)+:(?:[0-9a-fA-F]{1,4}:?)+\b",
    "CARD": r"\b(?:\d{4}[ -]?){3}\d{1,4}\b|\b\d{4}[ -]?\d{6}[ -]?\d{5}\b",
    "USER": r"(?<=user=)[^\s&,;]+|(?<=/home/)[\w.-]+",
}
ANY = re.compile("|".join(f"(?P<{kind}>{pattern})" for kind, pattern in PATTERNS.items()))

placeholders: dict[tuple[str, str], str] = {}
counts: dict[str, int] = dict.fromkeys(PATTERNS, 0)


def replace(match: re.Match[str]) -> str:
    """The placeholder of what was found."""
    kind = match.lastgroup or ""
    key = kind, match.group()
    if key not in placeholders:
        counts[kind] += 1
        placeholders[key] = f"<{kind}-{counts[kind]}>"
    return placeholders[key]


send_output(ANY.sub(replace, get_input()))
print("replaced:", ", ".join(f"{count} {kind}" for kind, count in counts.items() if count) or "nothing")
