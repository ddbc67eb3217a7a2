"""``wasmforge record|replay|test``: calls put on tape, and run again without a model."""

import argparse
import asyncio
import re
from pathlib import Path

from schemas.errors import InvalidInput, NotFound, WasmForgeError
from schemas.tapes import Tape, read_tape, write_tape
from sdk import replay as replaying
from sdk.cli import terminal
from sdk.cli.call import read_input
from sdk.cli.exits import Exit, exit_code
from sdk.cli.sources import read_source
from sdk.client import WasmForge

_EXECUTION_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


async def record(wf: WasmForge, arguments: argparse.Namespace) -> Exit:
    """Call a plugin, print its output, and save the tape of the call, also if it failed."""
    file = Path(arguments.output or f"{arguments.name}.tape.json")
    failure: WasmForgeError | None = None
    try:
        result = await wf.call(
            arguments.name,
            read_input(arguments.input),
            timeout_seconds=arguments.timeout,
            revision=arguments.revision,
            record=True,
        )
        execution_id, said = result.execution_id, result.tape
        terminal.put_bytes(result.output)
    except WasmForgeError as error:
        if error.execution_id is None:
            raise
        failure, execution_id, said = error, error.execution_id, None
        terminal.complain(f"{arguments.name} failed ({error.error_type}):\n{error.message}")
    try:
        tape = await wf.tape(execution_id)
    except NotFound:
        why = said or "it was not kept; the call may not have run, or see the executor's log"
        terminal.complain(f"there is no tape of execution {execution_id}: {why}")
        return exit_code(failure) if failure is not None else Exit.AWAY
    replaying.save(file, tape)
    terminal.put_log(f"recorded in {file}; run it again: wasmforge replay {file}\n")
    return Exit.OK if failure is None else exit_code(failure)


async def replay(wf: WasmForge, arguments: argparse.Namespace) -> Exit:
    """Run a tape again and say whether all is the same."""
    tape = await _tape(wf, arguments.tape)
    replayed = await asyncio.to_thread(replaying.replay, tape)
    found = replaying.differences(tape, replayed)
    if arguments.json:
        terminal.put_json({"same": not found, "differences": found, "output": replaying.shown(replayed.output)})
    elif found:
        for text in found:
            terminal.put_line(text)
        terminal.complain(f"it is not the same: {len(found)} differences to the tape{_recorded_by(tape)}")
    else:
        requests = len(tape.exchanges)
        terminal.put_line(
            f"the same, byte for byte: {tape.plugin.name}, {requests} requests, recorded {tape.recorded_at}"
        )
    return Exit.PLUGIN_FAILED if found else Exit.OK


async def test(_: WasmForge, arguments: argparse.Namespace) -> Exit:
    """Run a source against tapes, without a model: their inputs and answers, and the outputs that are expected."""
    source = read_source(arguments.file).content
    results = []
    for name in arguments.tape:
        file = Path(name)
        tape = replaying.with_source(replaying.load(file), source)
        replayed = await asyncio.to_thread(replaying.replay, tape)
        found = replaying.differences(tape, replayed, log=False)
        if found and arguments.accept and replayed.strayed is None:
            replaying.save(file, write_tape(replaying.accepted(tape, replayed)))
            terminal.put_log(f"{name}: what came out now is on the tape from now on\n")
            found = []
        results.append({"tape": name, "passed": not found, "differences": found})
        if not arguments.json:
            terminal.put_line(f"{'failed' if found else 'passed'}  {name}")
            for text in found:
                terminal.put_line(text)
    if arguments.json:
        terminal.put_json(results)
    return Exit.OK if all(result["passed"] for result in results) else Exit.PLUGIN_FAILED


async def _tape(wf: WasmForge, name: str) -> Tape:
    """The tape of an execution, or else in a file: what is no id must be one, and what is may be."""
    try:
        return replaying.load(Path(name))
    except InvalidInput:
        if _EXECUTION_ID.fullmatch(name) is None:
            raise
    return read_tape(await wf.tape(name))


def _recorded_by(tape: Tape) -> str:
    return f" (recorded by WasmForge {tape.recorded_by})" if tape.recorded_by else ""
