"""``make bench``: one run, every way of running a plugin side by side, in turns, so that noise hits all alike."""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import uvloop

from bench.in_executor import Wrong
from bench.run import Options, run
from deploy.local.process import StartFailed


def _options(arguments: Sequence[str]) -> Options:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="turns (default 5)")
    parser.add_argument("--seconds", type=float, default=1.0, help="length of each way's turn (default 1)")
    parser.add_argument("--executors", type=int, default=2, help="executors of the whole platform (default 2)")
    parser.add_argument("--callers", type=int, default=16, help="callers at once, where there are many (default 16)")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    chosen = parser.parse_args(arguments)
    return Options(chosen.rounds, chosen.seconds, chosen.executors, chosen.callers, chosen.json)


async def _main(options: Options) -> None:
    with tempfile.TemporaryDirectory(prefix="wf-bench-", ignore_cleanup_errors=True) as folder:
        report = await run(options, Path(folder), os.environ)
    print(report.text())
    if options.json is not None:
        options.json.write_text(json.dumps(report.figures(), indent=2) + "\n")


if __name__ == "__main__":
    try:
        uvloop.run(_main(_options(sys.argv[1:])))
    except (Wrong, StartFailed) as problem:
        print(f"bench: {problem}", file=sys.stderr)
        sys.exit(1)
