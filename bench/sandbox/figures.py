"""Figures with what is asked of them, and the table of all."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One measured thing."""

    name: str
    value: float
    unit: str
    p99: float | None = None
    """Of the same unit; None where it is one number."""
    asked: str = ""
    """As it is told to people."""
    aim: str = ""
    most: float | None = None
    least: float | None = None
    p99_most: float | None = None
    """What is asked, as numbers of this unit."""
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether it is what was asked for; None if nothing was."""
        if self.most is None and self.least is None:
            return None
        return (
            (self.most is None or self.value <= self.most)
            and (self.least is None or self.value >= self.least)
            and (self.p99_most is None or self.p99 is None or self.p99 <= self.p99_most)
        )

    def as_json(self) -> dict[str, object]:
        """For a file."""
        kept = {"name": self.name, "value": round(self.value, 4), "unit": self.unit}
        more = {"p99": self.p99, "asked": self.asked, "aim": self.aim, "met": self.met, "note": self.note}
        return kept | {key: value for key, value in more.items() if value not in (None, "")}


def of_latencies(name: str, microseconds: Sequence[float], **asked: object) -> Figure:
    """Median and p99 in milliseconds."""
    ordered = sorted(microseconds)
    p99 = ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)] / 1000
    note = f"{len(ordered):,} calls"
    return Figure(name, statistics.median(ordered) / 1000, "ms", p99, note=note, **asked)  # type: ignore[arg-type]


def table(figures: Sequence[Figure]) -> str:
    """For a person."""
    lines = [("", "median", "p99", "", "asked", "aim", "", "")]
    for figure in figures:
        p99 = "" if figure.p99 is None else _number(figure.p99)
        verdict = {None: "", True: "met", False: "MISSED"}[figure.met]
        lines.append(
            (figure.name, _number(figure.value), p99, figure.unit, figure.asked, figure.aim, verdict, figure.note)
        )
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if column in (1, 2) else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"
