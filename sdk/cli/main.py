"""From arguments to an exit code."""

import argparse
import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Sequence

from schemas.errors import WasmForgeError
from sdk.address import Settings, base_url
from sdk.cli import call, doctor, plugins, stack, tapes, terminal, top
from sdk.cli.arguments import parser
from sdk.cli.exits import Exit, exit_code
from sdk.client import WasmForge

Command = Callable[[WasmForge, argparse.Namespace], Awaitable[Exit]]

_REMOTE: dict[str, Command] = {
    "deploy": plugins.deploy,
    "run": call.run,
    "list": plugins.list_all,
    "show": plugins.show,
    "delete": plugins.delete,
    "models": plugins.models,
    "status": stack.status,
    "doctor": doctor.doctor,
    "top": top.top,
    "record": tapes.record,
    "replay": tapes.replay,
    "test": tapes.test,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``wasmforge`` with ``argv`` (the process's own if None) and return its exit code."""
    arguments = parser().parse_args(argv)
    try:
        code = _reported(arguments)
        sys.stdout.flush()
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:  # whoever read has enough
        _drop_output()
        return Exit.BROKEN_PIPE
    except OSError as error:
        _drop_output()
        terminal.complain(str(error))
        return Exit.AWAY
    return code


def _reported(arguments: argparse.Namespace) -> Exit:
    try:
        return _run(arguments)
    except WasmForgeError as error:
        if arguments.json:
            terminal.put_json(
                {
                    "success": False,
                    "error": error.message,
                    "error_type": error.error_type,
                    "execution_id": error.execution_id,
                }
            )
        if "\n" in error.message.strip():
            execution = f", execution {error.execution_id}" if error.execution_id else ""
            subject = getattr(arguments, "name", None) or arguments.command
            terminal.complain(f"{subject} failed ({error.error_type}{execution}):\n{error.message}")
        else:
            terminal.complain(error.message)
        return exit_code(error)


def _drop_output() -> None:
    # The interpreter would try once more at its end to write what is left, and complain.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(arguments: argparse.Namespace) -> Exit:
    if arguments.command not in _REMOTE:
        return stack.hand_over(arguments.command, arguments.rest)
    url = base_url(arguments.url) if arguments.url else Settings.read(os.environ).url
    return asyncio.run(_remote(_REMOTE[arguments.command], url, arguments))


async def _remote(command: Command, url: str, arguments: argparse.Namespace) -> Exit:
    async with WasmForge(url) as wf:
        return await command(wf, arguments)
