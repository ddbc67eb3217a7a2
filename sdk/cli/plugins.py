"""``wasmforge deploy|list|show|delete|models``."""

import argparse
import ast
import re
import sys
import warnings

import msgspec

from schemas.errors import InvalidInput
from schemas.limits import MAX_DESCRIPTION_CHARACTERS, Limits
from sdk.cli import terminal
from sdk.cli.exits import Exit
from sdk.cli.sources import STDIN, read_source
from sdk.client import WasmForge

_POSITION = re.compile(r"(?:(\S.*?), )?line (\d+)(?:, column (\d+))?: (.*)", re.DOTALL)


async def deploy(wf: WasmForge, arguments: argparse.Namespace) -> Exit:
    """Deploy a file, a zip or a folder under its own name or another."""
    file: str = arguments.file
    if file == STDIN and arguments.name is None:
        raise InvalidInput("a source from standard input needs --name")
    source = read_source(file)
    name: str = arguments.name or source.name
    description = _first_line(source.main) if arguments.description is None else arguments.description
    try:
        plugin = await wf.deploy(
            name,
            source.content,
            description=description,
            input_type=arguments.input_type,
            input_hint=arguments.input_hint,
            limits=_limits(arguments.limits),
        )
    except InvalidInput as error:
        position = _POSITION.fullmatch(error.message)
        if position is None:
            raise
        within, line, column, what = position.groups()
        shown = "standard input" if file == STDIN else file
        if source.is_archive and within is not None:
            shown = f"{file.rstrip('/')}/{within}"
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
            *(("file", f"{file.path}, {file.bytes:,} bytes") for file in plugin.files if len(plugin.files) > 1),
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
