"""``wasmforge up|down|scale|status``: the local stack, which ``python -m deploy.local`` runs."""

import argparse
import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from schemas.errors import InvalidInput
from sdk.cli import terminal
from sdk.cli.exits import Exit
from sdk.client import WasmForge

_PROJECT = Path(__file__).resolve().parents[2]


def hand_over(verb: str, rest: Sequence[str]) -> Exit:
    """Become ``python -m deploy.local VERB …``; returns only if it is not there."""
    if importlib.util.find_spec("deploy") is None or importlib.util.find_spec("deploy.local") is None:
        raise InvalidInput(f"'{verb}' works in a clone of the project, where the local stack's files are")
    paths = [str(_PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])]
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    os.chdir(_PROJECT)
    # One process less, and signals reach the stack as they are meant.
    os.execv(sys.executable, [sys.executable, "-m", "deploy.local", verb, *rest])  # noqa: S606


async def status(wf: WasmForge, arguments: argparse.Namespace) -> Exit:
    """Say what answers at the address and what is away; exit code 3 if something is."""
    health = await wf.health()
    if arguments.json:
        terminal.put_json(health)
    else:
        rows = [
            ("gateway", "yes", f"{wf.url}, version {health.version}"),
            ("nats", _yes(health.nats), ""),
            ("database", _yes(health.database), ""),
            ("executor", _yes(health.wasmedge), f"{health.executors} running"),
            ("models", _yes(health.models), ""),
        ]
        terminal.put_table(("PART", "ANSWERS", ""), rows)
        for problem in health.problems:
            terminal.complain(problem)
    return Exit.OK if health.status == "ok" else Exit.AWAY


def _yes(answers: bool) -> str:
    return "yes" if answers else "no"
