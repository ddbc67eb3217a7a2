"""``wasmforge deploy|list|show|delete|models``."""

import argparse
import ast
import re
import sys
import warnings
from pathlib import Path

import msgspec

from schemas.errors import InvalidInput, TooLarge
from schemas.limits import MAX_DESCRIPTION_CHARACTERS, MAX_SOURCE_BYTES, Limits
from sdk.cli import terminal
from sdk.cli.exits import Exit
from sdk.client import WasmForge

_POSITION = re.compile(r"line (\d+)(?:, column (\d+))?: (.*)", re.DOTALL)


async def deploy(wf: WasmForge, arguments: argparse.Namespace) -> Exit:
    """Deploy a file under its own name or another."""
    file: str = arguments.file
    name: str | None = arguments.name
    if name is None:
        if file == "-":
            raise InvalidInput("a source from standard input needs --name")
        name = Path(file).name.removesuffix(".py")
    source = _read_source(file)
    description = _first_line(source) if arguments.description is None else arguments.description
    try:
        plugin = await wf.deploy(
            name,
            source,
            description=description,
            input_type=arguments.input_type,
            input_hint=arguments.input_hint,
            limits=_limits(arguments.limits),
        )
    except InvalidInput as error:
        position = _POSITION.fullmatch(error.message)
        if position is None:
            raise
        line, column, what = position.groups()
        shown = "standard input" if file == "-" else file
        raise InvalidInput(f"{shown}:{line}:{column or 1}: {what}") from None
    if arguments.json:
        terminal.put_json(plugin)
    else:
        terminal.put_line(
            f"deployed {plugin.name}, revision {plugin.revision[:12]}; call it: wasmforge run {plugin.name}"
        )
    return Exit.OK


async def list_all(wf: WasmForge, arguments: argparse.Namespace) -> Exit:
    """List plugins, the newest first."""
    found = await wf.plugins()
    if arguments.json:
        terminal.put_json(found)
    elif found:
        rows = [(p.name, p.input_type, p.updated_at[:16].replace("T", " "), p.description) for p in found]
        terminal.put_table(("NAME", "INPUT", "UPDATED (UTC)", "DESCRIPTION"), rows)
    else:
        terminal.put_log("no plugin is deployed yet; 'wasmforge deploy FILE.py' deploys one\n")
    return Exit.OK


async def show(wf: WasmForge, arguments: argparse.Namespace) -> Exit:
    """Show what a plugin is, or its source."""
    plugin = await wf.show(arguments.name)
    if arguments.json:
        terminal.put_json(plugin)
    elif arguments.code:
        terminal.put_bytes(plugin.code.encode("utf-8", "replace"))
    else:
        lines = [
            ("name", plugin.name),
            ("description", plugin.description),
            ("input", plugin.input_type + (f", such as: {plugin.input_hint}" if plugin.input_hint else "")),
            ("revision", plugin.revision),
            ("source", f"{len(plugin.code.splitlines()):,} lines (--code prints them)"),
            *((field, f"{getattr(plugin.limits, field):,}") for field in Limits.__struct_fields__),
        ]
        terminal.put_table(("PLUGIN", ""), lines)
    return Exit.OK


async def delete(wf: WasmForge, arguments: argparse.Namespace) -> Exit:
    """Delete a plugin, after asking."""
    if not arguments.yes and not _confirmed(f"Delete {arguments.name} with all its revisions? [y/N] "):
        return Exit.USAGE
    await wf.delete(arguments.name)
    if arguments.json:
        terminal.put_json({"status": "deleted", "name": arguments.name})
    else:
        terminal.put_line(f"deleted {arguments.name}")
    return Exit.OK


async def models(wf: WasmForge, arguments: argparse.Namespace) -> Exit:
    """List the models that plugins may call."""
    found = await wf.models()
    if arguments.json:
        terminal.put_json(found)
    else:
        rows = [(m.name, "yes" if m.available else "no", m.answered_by or "-", m.description) for m in found]
        terminal.put_table(("MODEL", "AVAILABLE", "ANSWERED BY", "DESCRIPTION"), rows)
    return Exit.OK


def _read_source(file: str) -> bytes:
    try:
        if file == "-":
            source = sys.stdin.buffer.read(MAX_SOURCE_BYTES + 1)
        else:
            with Path(file).open("rb") as stream:
                source = stream.read(MAX_SOURCE_BYTES + 1)
    except OSError as error:
        raise InvalidInput(f"{file}: {error.strerror}") from None
    if len(source) > MAX_SOURCE_BYTES:
        raise TooLarge(file, size_bytes=None, limit_bytes=MAX_SOURCE_BYTES)
    return source


def _first_line(source: bytes) -> str:
    """First line of the module's docstring; the sandbox's compiler, not this one, says what does not compile."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            docstring = ast.get_docstring(ast.parse(source)) or ""
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return ""
    return docstring.partition("\n")[0].strip()[:MAX_DESCRIPTION_CHARACTERS]


def _limits(pairs: list[str]) -> Limits | None:
    named: dict[str, int] = {}
    for pair in ",".join(pairs).split(",") if pairs else []:
        field, _, value = pair.strip().partition("=")
        number = value.replace("_", "")
        if field not in Limits.__struct_fields__ or not number.isdecimal():
            known = ", ".join(Limits.__struct_fields__)
            raise InvalidInput(f"--limits {pair!r}: write NAME=NUMBER, NAME being one of {known}")
        named[field] = int(number)
    try:
        return msgspec.convert(named, Limits) if named else None
    except msgspec.ValidationError as error:
        raise InvalidInput(f"--limits: {error}") from None


def _confirmed(question: str) -> bool:
    if not sys.stdin.isatty():
        raise InvalidInput("nobody can be asked here; --yes deletes without asking")
    terminal.put_log(question)
    return sys.stdin.readline().strip().lower() in ("y", "yes")
