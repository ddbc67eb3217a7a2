"""``wasmforge run``: a plugin as a filter."""

import argparse
import os
import sys

from schemas.errors import TooLarge, WasmForgeError
from sdk.cli import terminal
from sdk.cli.exits import Exit, exit_code
from sdk.client import Done, Log, Output, WasmForge

MAX_INPUT_BYTES = 64 * 1024 * 1024
"""Nothing larger is read from standard input; the plugin's own limit, far lower, is the gateway's to check."""


async def run(wf: WasmForge, arguments: argparse.Namespace) -> Exit:
    """Call a plugin: input from the argument or standard input, output to standard output."""
    data = read_input(arguments.input)
    if arguments.json:
        return await _run_as_json(wf, arguments, data)
    last = b""
    try:
        async for event in wf.stream(
            arguments.name, data, timeout_seconds=arguments.timeout, revision=arguments.revision
        ):
            if isinstance(event, Output):
                terminal.put_bytes(event.data)
                last = event.data or last
            elif isinstance(event, Log):
                terminal.put_log(event.text)
    finally:
        # The shell's prompt, or the error, shall not stand on the output's last line; a file or pipe gets no byte more.
        if last and not last.endswith(b"\n") and sys.stdout.isatty():
            terminal.put_bytes(b"\n")
    return Exit.OK


async def _run_as_json(wf: WasmForge, arguments: argparse.Namespace, data: bytes) -> Exit:
    output = bytearray()
    log: list[str] = []
    done: Done | None = None
    failure: WasmForgeError | None = None
    try:
        async for event in wf.stream(
            arguments.name, data, timeout_seconds=arguments.timeout, revision=arguments.revision
        ):
            if isinstance(event, Output):
                output += event.data
            elif isinstance(event, Log):
                log.append(event.text)
            else:
                done = event
    except WasmForgeError as error:
        failure = error
    terminal.put_json(
        {
            "success": failure is None,
            "output": output.decode("utf-8", "replace"),
            "error": failure.message if failure else None,
            "error_type": failure.error_type if failure else None,
            "execution_id": failure.execution_id if failure else done.execution_id if done else None,
            "phases_us": done.phases_us if done else {},
            "log": "".join(log),
        }
    )
    return Exit.OK if failure is None else exit_code(failure)


def read_input(argument: str | None) -> bytes:
    """A plugin's input: the argument, or standard input.

    Raises:
        TooLarge: over `MAX_INPUT_BYTES`.
    """
    if argument is not None and argument != "-":
        return os.fsencode(argument)
    if sys.stdin is None:
        return b""
    if sys.stdin.isatty():
        terminal.put_log("wasmforge: reading the input from the terminal, Ctrl-D ends it\n")
    data = sys.stdin.buffer.read(MAX_INPUT_BYTES + 1)
    if len(data) > MAX_INPUT_BYTES:
        raise TooLarge("the input", size_bytes=None, limit_bytes=MAX_INPUT_BYTES)
    return data
