"""Figures of the AI bench, each with what it shall be."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Finding:
    """One figure, or a few that belong together."""

    what: str
    measured: str
    target: str = ""
    met: bool | None = None
    figures: dict[str, float | int | str] = field(default_factory=dict)


def quantile(values: Sequence[float], share: float) -> float:
    """The value that this share of all does not pass."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")


def ms(microseconds: float) -> str:
    """Milliseconds, three digits that matter."""
    return f"{microseconds / 1000:.3g} ms"


def table(findings: Sequence[Finding]) -> str:
    """For a person."""
    widths = [max(len(getattr(finding, name)) for finding in findings) for name in ("what", "measured")]
    lines = []
    for finding in findings:
        mark = {None: "", True: "  met", False: "  MISSED"}[finding.met]
        line = f"{finding.what.ljust(widths[0])}  {finding.measured.ljust(widths[1])}  {finding.target}{mark}"
        lines.append(line.rstrip())
    return "\n".join(lines)
