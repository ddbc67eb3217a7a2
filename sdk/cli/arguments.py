"""The arguments of ``wasmforge``."""

import argparse
from collections.abc import Sequence
from typing import Any

from schemas import __version__

_EPILOG = """\
exit codes:
  0 done · 1 the plugin failed · 2 the request can't be done · 3 WasmForge is away, busy or failed · 130 interrupted
  (up, down and scale: 0 done · 1 not done · 2 wrong arguments)

environment:
  WASMFORGE_HTTP  where WasmForge is, a URL or host:port (default 127.0.0.1:8000)
"""


class _Intermixed(argparse.ArgumentParser):
    """Lets an optional positional follow options: ``run NAME --timeout 5 INPUT``."""

    _nested = False

    # argparse's own signature can't be written down exactly: it differs between versions.
    def parse_known_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:  # type: ignore[override]
        if self._nested:
            return super().parse_known_args(args, namespace)
        self._nested = True
        try:
            return self.parse_known_intermixed_args(args, namespace)
        finally:
            self._nested = False


def parser() -> argparse.ArgumentParser:
    """The parser; ``arguments.command`` names what to do."""
    top = argparse.ArgumentParser(
        prog="wasmforge",
        description="Deploy and call small Python functions that may call AI models.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"wasmforge {__version__}")
    top.add_argument("--url", metavar="URL", help="where WasmForge is (default: WASMFORGE_HTTP)")
    top.add_argument("--json", action="store_true", help="print JSON")

    # Also after the command's name, where most people write them; SUPPRESS keeps what stood before it.
    where = _Intermixed(add_help=False)
    where.add_argument("--url", metavar="URL", default=argparse.SUPPRESS, help="where WasmForge is")
    both = _Intermixed(add_help=False, parents=[where])
    both.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print JSON")

    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True, parser_class=_Intermixed)
    _deploy(commands.add_parser("deploy", parents=[both], help="deploy a plugin", description=_DEPLOY))
    _run(commands.add_parser("run", parents=[both], help="call a plugin", description=_RUN))
    commands.add_parser("list", parents=[both], help="list plugins, the newest first")
    show = commands.add_parser("show", parents=[both], help="show a plugin")
    show.add_argument("name", metavar="NAME")
    show.add_argument("--code", action="store_true", help="print its source and nothing else")
    delete = commands.add_parser("delete", parents=[both], help="delete a plugin with all its revisions")
    delete.add_argument("name", metavar="NAME")
    delete.add_argument("--yes", action="store_true", help="do not ask")
    commands.add_parser("models", parents=[both], help="list the models that plugins may call")
    commands.add_parser("status", parents=[both], help="what answers and what is away")
    commands.add_parser("doctor", parents=[both], help="what keeps plugins in, executor by executor")
    top_ = commands.add_parser("top", parents=[both], help="who asks what of the models, live", description=_TOP)
    top_.add_argument("--once", action="store_true", help="print it once")
    record = commands.add_parser("record", parents=[both], help="call a plugin and keep a tape", description=_RECORD)
    _run(record)
    record.add_argument("-o", "--output", metavar="FILE", help="where the tape goes (default: NAME.tape.json)")
    replay = commands.add_parser("replay", parents=[both], help="run a tape again, offline", description=_REPLAY)
    replay.add_argument("tape", metavar="TAPE", help="a file, or the id of a recorded execution")
    test = commands.add_parser("test", parents=[both], help="run a source against tapes", description=_TEST)
    test.add_argument("file", metavar="FILE", help="the plugin: Python source, a zip or a folder")
    test.add_argument("--tape", action="append", required=True, metavar="TAPE", help="a file; may be given often")
    test.add_argument("--accept", action="store_true", help="what comes out now is what is expected from now on")
    up = commands.add_parser("up", help="start the local stack and stay with it; Ctrl-C stops it")
    up.add_argument("rest", nargs="*", metavar="…", help="passed on, such as executor=3")
    down = commands.add_parser("down", help="stop the local stack")
    down.add_argument("rest", nargs="*", metavar="…", help=argparse.SUPPRESS)
    scale = commands.add_parser(
        "scale", help="run this many executors", description="Change the local stack as it runs."
    )
    scale.add_argument("rest", nargs=1, metavar="executor=N")
    return top


_DEPLOY = """Deploy a plugin: a new name, or a new revision of one that is there. A source that does not compile is
refused with its line and column."""

_RUN = """Call a plugin. Its output goes to standard output byte for byte and as it comes, what it printed goes to
standard error."""

_TOP = """Show who asks what of the models, what runs and waits, tokens, refusals and budgets, anew each second; Ctrl-C
ends it."""


_RECORD = """Call a plugin and save a tape of the call: its input, each answer that it got from a model, its clock and
its random numbers, what came out, and its source."""

_REPLAY = """Run a tape again in the sandbox of this machine, without a platform and without models, and compare what
comes out with what came out then, byte for byte."""

_TEST = """Run a source in the sandbox of this machine with the inputs and the answers of tapes, without models. It
passes if it asks for the same and its output and ending are those on the tape."""


def _deploy(command: argparse.ArgumentParser) -> None:
    command.add_argument("file", metavar="FILE", help="Python source, a zip, a folder, or - for standard input")
    command.add_argument("--name", help="what it is called (default: FILE without .py or .zip)")
    command.add_argument("--description", help="shown in lists (default: first line of the file's docstring)")
    command.add_argument("--input-type", choices=("text", "file", "json"), default="text", help="default: text")
    command.add_argument("--input-hint", default="", metavar="TEXT", help="an example of its input")
    command.add_argument(
        "--limits",
        action="append",
        default=[],
        metavar="NAME=N,…",
        help="timeout_ms, cpu_ms, memory_bytes, ai_calls, input_bytes, output_bytes, log_bytes; others: the default",
    )


def _run(command: argparse.ArgumentParser) -> None:
    command.add_argument("name", metavar="NAME")
    command.add_argument("input", metavar="INPUT", nargs="?", help="default, and -: standard input, byte for byte")
    command.add_argument("--timeout", type=float, metavar="SECONDS", help="what the call may take")
    command.add_argument("--revision", metavar="DIGEST", help="run this revision (default: the current one)")
