"""``python -m deploy.local up|down|scale|status|executor``."""

import argparse
import asyncio
import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from deploy.local import control
from deploy.local.one_executor import one_executor
from deploy.local.process import StartFailed
from deploy.local.settings import Settings
from deploy.local.up import up
from deploy.places import Places

_DOWN_SECONDS = 120.0


def main(argv: Sequence[str]) -> int:
    """Run one command; 0 when all is well, 1 with a sentence on standard error when not."""
    arguments = _parser().parse_args(argv)
    state = Places.read(os.environ).state
    try:
        match arguments.command:
            case "up":
                asyncio.run(up(Settings.read(os.environ, executors=arguments.count or arguments.executors)))
            case "executor":
                asyncio.run(one_executor(Settings.read(os.environ), arguments.nats))
            case "down":
                asyncio.run(_down(state))
            case "scale":
                asyncio.run(control.ask(state, {"do": "scale", "executor": arguments.count}))
                print(f"{arguments.count} executors from now on")
            case "status":
                _print_status(asyncio.run(control.ask(state, {"do": "status"})), arguments.json)
    except (StartFailed, control.NotRunning, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


async def _down(state: Path) -> None:
    try:
        await control.ask(state, {"do": "down"}, until_gone_seconds=_DOWN_SECONDS)
    except control.NotRunning:
        print("WasmForge is not running")
        return
    print("Stopped")


def _print_status(reply: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(reply))
        return
    print(f"{reply['url']}  {reply['nats']}")
    for part in reply["parts"]:
        restarts = f", started again {part['restarts']} times" if part["restarts"] else ""
        print(f"  {part['name']:<14} {part['state']:<9} {part['pid'] or '-':>8}  {part['seconds']:.0f} s{restarts}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.local", description="The local stack.")
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("up", help="start everything and stay; Ctrl-C stops it")
    run.add_argument("--executors", type=int, default=1, metavar="N")
    run.add_argument("count", nargs="?", type=_count, metavar="executor=N")
    commands.add_parser("down", help="stop it")
    scale = commands.add_parser("scale", help="run N executors")
    scale.add_argument("count", type=_count, metavar="executor=N")
    status = commands.add_parser("status", help="what runs")
    status.add_argument("--json", action="store_true")
    single = commands.add_parser("executor", help="run one executor for a platform elsewhere")
    single.add_argument("--nats", required=True, metavar="URL")
    return parser


def _count(text: str) -> int:
    found = re.fullmatch(r"(?:executors?=)?(\d{1,4})", text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r}: write executor=3")
    return int(found.group(1))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
