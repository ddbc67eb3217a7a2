"""``wasmforge up|down|scale|status``: the local stack, which ``python -m deploy.local`` runs."""

import argparse
import asyncio
import importlib.util
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from schemas.errors import InvalidInput
from schemas.http import Health
from sdk.cli import terminal
from sdk.cli.exits import Exit
from sdk.client import Unreachable, WasmForge

_PROJECT = Path(__file__).resolve().parents[2]
_LOCAL = (sys.executable, "-m", "deploy.local")


def hand_over(verb: str, rest: Sequence[str]) -> Exit:
    """Become ``python -m deploy.local VERB …``; returns only by raising, if that is not there."""
    if not _is_here():
        raise InvalidInput(f"'{verb}' works in a clone of the project, where the local stack's files are")
    os.environ["PYTHONPATH"] = _module_path()
    os.chdir(_PROJECT)
    # One process less, and signals reach the stack as they are meant.
    os.execv(sys.executable, [*_LOCAL, verb, *rest])  # noqa: S606


async def status(wf: WasmForge, arguments: argparse.Namespace) -> Exit:
    """Say what answers at the address and what is away; exit code 3 if something is.

    The processes of the local stack are listed too, if it is the one at this address.
    """
    local = await _local_status()
    if local is not None and local.url != wf.url:
        local = None
    health: Health | None = None
    try:
        health = await wf.health()
    except Unreachable:
        if local is None:
            raise
    if arguments.json:
        terminal.put_json({"health": health, "local": local})
    else:
        if health is not None:
            _put_health(wf.url, health)
        if local is not None:
            rows = [(p.name, p.state, str(p.pid or "-"), f"{p.seconds:.0f} s", str(p.restarts)) for p in local.parts]
            terminal.put_table(("PROCESS", "STATE", "PID", "SINCE", "RESTARTS"), rows)
    problems = ["the gateway does not answer"] if health is None else health.problems
    for problem in problems:
        terminal.complain(problem)
    return Exit.AWAY if problems else Exit.OK


class _Process(msgspec.Struct):
    name: str
    state: str
    pid: int | None
    seconds: float
    restarts: int


class _LocalStatus(msgspec.Struct):
    url: str
    nats: str
    parts: list[_Process]


async def _local_status() -> _LocalStatus | None:
    """What the local stack's supervisor says; None if none runs."""
    if not _is_here():
        return None
    process = await asyncio.create_subprocess_exec(
        *_LOCAL,
        "status",
        "--json",
        cwd=_PROJECT,
        env=os.environ | {"PYTHONPATH": _module_path()},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    out, _ = await process.communicate()
    try:
        return msgspec.json.decode(out, type=_LocalStatus)
    except msgspec.MsgspecError:
        return None


def _put_health(url: str, health: Health) -> None:
    answers = {
        "gateway": (True, f"{url}, version {health.version}"),
        "nats": (health.nats, ""),
        "database": (health.database, ""),
        "executors": (bool(health.executors), "; ".join([str(health.executors), *health.warnings])),
        "models": (health.models, ""),
    }
    rows = [(part, "yes" if answer else "no", more) for part, (answer, more) in answers.items()]
    terminal.put_table(("PART", "ANSWERS", ""), rows)


def _is_here() -> bool:
    return importlib.util.find_spec("deploy") is not None and importlib.util.find_spec("deploy.local") is not None


def _module_path() -> str:
    return os.pathsep.join([str(_PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])])
