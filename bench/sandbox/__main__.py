"""``make bench-sandbox``: everything that is promised of the sandbox, side by side, in one run."""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import uvloop

from bench import in_executor
from bench.in_executor import Wrong
from bench.sandbox import calls, leaks, memory, peers, speed, waiting
from bench.sandbox.figures import table
from deploy.local.process import StartFailed
from deploy.places import Places
from executor.engine.cache import best_engine


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    seconds: float = 5.0
    firsts: int = 40
    leaks: int = 1000
    waiting: int = 1000
    peers: int = 10
    programs: int = 99
    turns: int = 3
    install: bool = True


_QUICK = Size(seconds=0.3, firsts=3, leaks=30, waiting=12, peers=2, programs=1, turns=1, install=False)


async def _main(size: Size, python: Path | None) -> dict[str, object]:
    places = Places.read(os.environ)
    engine = best_engine(places.engines)
    if engine is None:
        raise Wrong(f"no compiled engine in {places.engines}: run 'make setup'")
    load = os.getloadavg()[0]
    pool = await in_executor.boot(places.wasmedge, engine)
    try:
        found = await calls.figures(pool, os.getpid(), size.seconds, size.firsts)
        found += await memory.figures(pool)
        found += await leaks.figures(pool, size.leaks)
        found += await speed.figures(pool, python, size.turns, size.programs)
    finally:
        await pool.close()
    with tempfile.TemporaryDirectory(prefix="wf-bench-", ignore_cleanup_errors=True) as folder:
        found += await waiting.figures(Path(folder), size.waiting, size.seconds)
    print(f"{os.cpu_count()} cores, load average {load:.2f} before the run, engine {engine.name}\n")
    print(table(found), flush=True)
    beside, missing = await peers.figures(
        places.wasmedge, engine, places.engines.parent, size.peers, install=size.install
    )
    print(f"\nBeside it, a fresh interpreter for each call\n\n{table(beside)}")
    if missing:
        print(missing)
    return {"load_before": load, "figures": [figure.as_json() for figure in [*found, *beside]]}


def _arguments(arguments: Sequence[str]) -> tuple[Size, Path | None, Path | None]:
    parser = argparse.ArgumentParser(prog="python -m bench.sandbox", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few of everything, to see that it runs")
    parser.add_argument("--leak-calls", type=int, help="calls of the leak probe (default 1,000)")
    parser.add_argument(
        "--python", type=Path, help="native interpreter to compare with (default: one of 3.12, if found)"
    )
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    chosen = parser.parse_args(arguments)
    size = _QUICK if chosen.quick else Size(leaks=chosen.leak_calls or Size.leaks)
    return size, chosen.python, chosen.json


if __name__ == "__main__":
    try:
        chosen_size, native, file = _arguments(sys.argv[1:])
        report = uvloop.run(_main(chosen_size, native))
        if file is not None:
            file.write_text(json.dumps(report, indent=2) + "\n")
    except (Wrong, StartFailed) as problem:
        print(f"bench: {problem}", file=sys.stderr)
        sys.exit(1)
