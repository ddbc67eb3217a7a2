"""Figures out of latencies, and a table out of figures."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Row:
    """One way of running a plugin: all its latencies, from every turn."""

    name: str
    target: str = ""
    latencies_us: list[int] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    """Calls a second, of each turn; empty where one caller's latency says it all."""
    failures: int = 0

    @property
    def median_ms(self) -> float:
        """Half of the calls took no longer."""
        return statistics.median(self.latencies_us) / 1000

    @property
    def p99_ms(self) -> float:
        """99 of a hundred calls took no longer."""
        ordered = sorted(self.latencies_us)
        return ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)] / 1000

    @property
    def rate(self) -> float:
        """Calls a second, the median of the turns."""
        return statistics.median(self.rates)

    def figures(self) -> dict[str, float | int | str]:
        """For a file."""
        figures: dict[str, float | int | str] = {
            "name": self.name,
            "calls": len(self.latencies_us),
            "failures": self.failures,
            "median_ms": round(self.median_ms, 3),
            "p99_ms": round(self.p99_ms, 3),
        }
        if self.rates:
            figures["calls_per_second"] = round(self.rate, 1)
        return figures


def table(rows: Sequence[Row], base: Row) -> str:
    """The rows as text; ratios are of medians, to ``base``."""
    lines = [("", "calls", "median ms", "p99 ms", "calls/s", "ratio", "target")]
    for row in rows:
        rate = f"{row.rate:,.0f}" if row.rates else ""
        ratio = f"{row.median_ms / base.median_ms:.2f}"
        count = f"{len(row.latencies_us):,}" + (f" ({row.failures} failed)" if row.failures else "")
        lines.append((row.name, count, f"{row.median_ms:.2f}", f"{row.p99_ms:.2f}", rate, ratio, row.target))
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    made = []
    for line in lines:
        cells = [line[0].ljust(widths[0])] + [
            cell.rjust(width) for cell, width in zip(line[1:-1], widths[1:-1], strict=True)
        ]
        made.append("  ".join([*cells, line[-1]]).rstrip())
    return "\n".join(made)
