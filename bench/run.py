"""The run: start everything once, then turn after turn of every way, and put the figures together."""

import os
import statistics
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench import in_executor, processes, stacks
from bench.http_client import Slice
from bench.in_executor import Inside, Wrong
from bench.load import LoadGenerator, load_generator
from bench.report import Row, table
from bench.stacks import Side
from deploy.places import Places
from executor.engine.cache import best_engine

PLUGIN = "bench"
SOURCE = "from platform_sdk import get_input, send_output\nsend_output(get_input().upper())\n"
ALONE = "import sys; sys.stdout.write(sys.stdin.read().upper())"
"""The same plugin, for ways that have no ``platform_sdk``."""
DATA, EXPECTED = "bench", "BENCH"
_STARTS_A_TURN = 5


@dataclass(frozen=True)
class Options:
    """What the user of ``python -m bench`` chose."""

    rounds: int
    seconds: float
    executors: int
    callers: int
    json: Path | None


@dataclass
class Report:
    """What a run found."""

    options: Options
    rows: dict[str, Row]
    cpu_us: dict[str, dict[str, list[float]]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(list)))
    """CPU time a call, by way and part, of each turn."""
    load_before: float = 0.0

    def text(self) -> str:
        """For a person."""
        lines = [
            f"{self.options.rounds} turns of {self.options.seconds:g} s, {os.cpu_count()} cores, nothing pinned; "
            f"load average {self.load_before:.2f} before the run",
            "",
            table(list(self.rows.values()), self.rows["whole, 1 caller"]),
            "",
            "CPU time a call, microseconds (median of the turns; the load generator runs on the same cores)",
        ]
        for way, parts in self.cpu_us.items():
            costs = {part: statistics.median(turns) for part, turns in parts.items()}
            spelled = ", ".join(f"{part} {cost:.0f}" for part, cost in costs.items())
            lines.append(f"  {way}: {spelled}; together {sum(costs.values()):.0f}")
        return "\n".join(lines)

    def figures(self) -> dict[str, object]:
        """For a file."""
        return {
            "load_before": self.load_before,
            "cores": os.cpu_count(),
            "rows": [row.figures() for row in self.rows.values()],
            "cpu_us_a_call": {
                way: {part: round(statistics.median(turns), 1) for part, turns in parts.items()}
                for way, parts in self.cpu_us.items()
            },
        }


async def run(options: Options, folder: Path, environment: Mapping[str, str]) -> Report:
    """Measure everything.

    Raises:
        Wrong, StartFailed: something does not run or does not answer as it should.
    """
    places = Places.read(environment)
    engine = best_engine(places.engines)
    if engine is None:
        raise Wrong(f"no compiled engine in {places.engines}: run 'make setup'")
    load_before = os.getloadavg()[0]
    pool = await in_executor.boot(places.wasmedge, engine)
    try:
        async with (
            stacks.both(folder, options.executors, PLUGIN, SOURCE) as (whole, floor),
            stacks.fixed_server() as nothing,
            load_generator() as load,
        ):
            turns = _Turns(options, Report(options, _rows(options), load_before=load_before), load)
            for _ in range(options.rounds):
                await turns.inside(Inside(pool, SOURCE))
                await turns.over_http(whole, floor, nothing)
                await turns.processes(places.wasmedge, engine)
            return turns.report
    finally:
        await pool.close()


def _rows(options: Options) -> dict[str, Row]:
    many = f"{options.callers} callers"
    return {
        row.name: row
        for row in (
            Row("in one executor", "median <= 1.2 ms"),
            Row("in one executor, without a pause"),
            Row("whole, 1 caller", "median <= 3 ms"),
            Row("floor (echo for a sandbox), 1 caller"),
            Row(f"whole, {many}", ">= 500 calls/s"),
            Row(f"floor (echo for a sandbox), {many}"),
            Row("python3 -I -S -c, a process a call"),
            Row("wasmedge, a process a call (the original's way)"),
            Row("  of that the script that stands for its command line"),
            Row("wasmedge's own command line"),
            Row("load generator alone, 1 caller"),
            Row(f"load generator alone, {many}"),
            Row("httpx against nothing, 1 caller"),
        )
    }


class _Turns:
    """One turn of every way, as often as asked for."""

    def __init__(self, options: Options, report: Report, load: LoadGenerator) -> None:
        self._options = options
        self._load = load
        self.report = report

    async def inside(self, inside: Inside) -> None:
        """Inside an executor."""
        for name, pause_seconds in (("in one executor", 0.002), ("in one executor, without a pause", 0.0)):
            found = await inside.for_seconds(self._options.seconds, DATA.encode(), EXPECTED.encode(), pause_seconds)
            self.report.rows[name].latencies_us += found

    async def over_http(self, whole: Side, floor: Side, nothing: Side) -> None:
        """Through a gateway, and against a server that does nothing."""
        for callers in (1, self._options.callers):
            text = "1 caller" if callers == 1 else f"{callers} callers"
            await self._slice(f"whole, {text}", whole, callers)
            await self._slice(f"floor (echo for a sandbox), {text}", floor, callers, expected=DATA)
            await self._slice(f"load generator alone, {text}", nothing, callers)
        await self._slice("httpx against nothing, 1 caller", nothing, 1, with_httpx=True)

    async def processes(self, wasmedge: Path, engine: Path) -> None:
        """A process for each call."""
        ways = {
            "python3 -I -S -c, a process a call": processes.plain_python(ALONE),
            "wasmedge, a process a call (the original's way)": processes.original_way(wasmedge, engine, ALONE),
            "  of that the script that stands for its command line": processes.only_the_script(wasmedge),
            "wasmedge's own command line": processes.wasmedge_command(engine, ALONE),
        }
        for name, command in ways.items():
            if command is None:
                self.report.rows.pop(name, None)
            else:
                found = await processes.one_each(command, _STARTS_A_TURN, DATA.encode(), EXPECTED.encode())
                self.report.rows[name].latencies_us += found

    async def _slice(
        self, name: str, side: Side, callers: int, *, expected: str = EXPECTED, with_httpx: bool = False
    ) -> None:
        before = side.cpu_seconds()
        measured = await self._load.measure(
            Slice(side.host, side.port, f"/fn/{PLUGIN}", DATA, callers, self._options.seconds, expected, with_httpx)
        )
        after = side.cpu_seconds()
        row = self.report.rows[name]
        count = len(measured.latencies_us)
        if count == 0:
            raise Wrong(f"{name}: no call was answered")
        row.latencies_us += measured.latencies_us
        row.failures += measured.failures
        if callers > 1:
            row.rates.append(count / measured.seconds)
        if side.pids:
            costs = self.report.cpu_us[name]
            costs["load generator"].append(measured.cpu_seconds / count * 1e6)
            for part in after:
                costs[part].append((after[part] - before[part]) / count * 1e6)
