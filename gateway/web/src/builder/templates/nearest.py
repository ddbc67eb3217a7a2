"""Finds the lines that are nearest in meaning to the first one."""

import math

from platform_sdk import embed, get_input, send_output

lines = [line.strip() for line in get_input().splitlines() if line.strip()][:64]
if len(lines) < 2:
    raise SystemExit("Send what to look for on the first line, and on each line after it something to look in.")

wanted, *others = embed("qwen2.5:1.5b", [line[:1000] for line in lines])


def likeness(one: list[float], other: list[float]) -> float:
    """The cosine of the angle between two vectors: 1 for the same direction."""
    lengths = math.hypot(*one) * math.hypot(*other)
    return math.sumprod(one, other) / lengths if lengths else 0.0


found = sorted(zip(lines[1:], (likeness(wanted, other) for other in others), strict=True), key=lambda pair: -pair[1])
send_output([{"text": text, "likeness": round(value, 3)} for text, value in found])
