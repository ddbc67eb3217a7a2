"""Tapes run again on this machine, in the sandbox, without a platform and without models.

The sandbox belongs to the executor, which runs as a process of its own: this package knows nothing of it but that.
"""

import difflib
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from schemas.archive import pack, unpack
from schemas.digest import revision_digest
from schemas.errors import InvalidInput, Unavailable
from schemas.limits import Limits
from schemas.messages import PluginRevision
from schemas.pluginfiles import is_left_out, main_of, without_folder
from schemas.tapes import Exchange, Replayed, Tape, TapeStart, Text, bytes_of, read_tape, text_of, write_tape

_PROJECT = Path(__file__).resolve().parent.parent
_START_SECONDS = 60.0
_MAX_DIFF_LINES = 200
_ZIP = b"PK\3\4"
_EPOCH = TapeStart(1_767_225_600_000_000_000, bytes(32))
"""Where tapes begin that are made by hand: the first moment of 2026, and no seed."""


class CannotReplay(Unavailable):
    """There is no sandbox on this machine."""

    title = "Tapes can't be replayed here"


def replay(tape: Tape) -> Replayed:
    """Run a tape again (about a second, and what the plugin computes).

    Raises:
        CannotReplay: there is no sandbox here; the message says what to do.
    """
    paths = [str(_PROJECT), *filter(None, [os.environ.get("PYTHONPATH")])]
    try:
        done = subprocess.run(
            [sys.executable, "-m", "executor.replay"],
            input=write_tape(tape),
            capture_output=True,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
            timeout=tape.plugin.limits.timeout_ms / 1000 + _START_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise CannotReplay("the sandbox did not end in time") from None
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise CannotReplay(said[-1] if said else f"the sandbox ended with status {done.returncode}")
    return msgspec.json.decode(done.stdout, type=Replayed)


def differences(tape: Tape, replayed: Replayed, *, log: bool = True) -> list[str]:
    """What is not as on the tape, each in words; nothing if all is, byte for byte.

    Args:
        log: whether what was printed counts.
    """
    if replayed.strayed is not None:
        return [replayed.strayed]
    found = []
    if replayed.unasked:
        found.append(f"{replayed.unasked} answers of the tape were not asked for")
    if replayed.ending != tape.ending:
        found.append(_difference("ending", _ending(tape), _ending(replayed)))
    if replayed.output != tape.output:
        found.append(_difference("output", shown(tape.output), shown(replayed.output)))
    if log and replayed.log != tape.log:
        found.append(_difference("log", shown(tape.log), shown(replayed.log)))
    return found


def with_source(tape: Tape, content: bytes) -> Tape:
    """The same call of another source, or of another zip."""
    return msgspec.structs.replace(tape, plugin=_plugin(tape.plugin.name, content, tape.plugin.limits))


def accepted(tape: Tape, replayed: Replayed) -> Tape:
    """A tape on which what came out this time is what is to come out."""
    return msgspec.structs.replace(
        tape, output=replayed.output, log=replayed.log, ending=replayed.ending, exchanges=replayed.exchanges
    )


def by_hand(content: bytes, data: bytes, answers: Sequence[Any], limits: Limits) -> Tape:
    """A tape of a call that nobody has made.

    Args:
        content: the plugin's source, or a zip.
        answers: in the order in which they are asked for: what the SDK's function returns, or a whole answer
            (``{"ok": false, "error": …, "code": …}``).
    """
    exchanges = [Exchange(answer=_answer(answer)) for answer in answers]
    plugin = _plugin("plugin", content, limits)
    return Tape(plugin=plugin, birth=_EPOCH, start=_EPOCH, input=text_of(data), exchanges=exchanges)


def load(path: Path) -> Tape:
    """A tape out of a file.

    Raises:
        InvalidInput: the file can't be read, or is no tape.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"the tape {path} can't be read: {error.strerror}") from None
    return read_tape(data)


def save(path: Path, tape: bytes) -> None:
    """Write a tape into a file, in lines, so that people and their tools see what changes."""
    path.write_bytes(msgspec.json.format(tape, indent=2) + b"\n")


def shown(text: Text) -> str:
    """Bytes of a tape for a person: those that are no text in hexadecimal.

    Raises:
        InvalidInput: what should be base64 is not.
    """
    return text if isinstance(text, str) else bytes_of(text).hex(" ")


def _plugin(name: str, content: bytes, limits: Limits) -> PluginRevision:
    if not content.startswith(_ZIP):
        source = content.decode("utf-8", "replace")
        return PluginRevision(name, revision_digest(source, limits), source, limits)
    files = without_folder(unpack(content, is_left_out))
    source = files[main_of(files)].decode("utf-8", "replace").removeprefix("\ufeff")
    return PluginRevision(name, revision_digest(source, limits, files), source, limits, pack(files))


def _answer(answer: Any) -> Any:
    whole = isinstance(answer, dict) and isinstance(answer.get("ok"), bool)
    return answer if whole else {"ok": True, "value": answer}


def _ending(of: Tape | Replayed) -> str:
    if of.ending is None:
        return "well"
    return f"{of.ending.error_type}\n{of.ending.error}"


def _difference(what: str, on_tape: str, now: str) -> str:
    lines = list(
        difflib.unified_diff(on_tape.splitlines(), now.splitlines(), f"{what} on tape", f"{what} now", "", "", 3, "")
    )
    if not lines:
        lines = [f"the {what} differs in its line ends"]
    if len(lines) > _MAX_DIFF_LINES:
        lines = [*lines[:_MAX_DIFF_LINES], f"… {len(lines) - _MAX_DIFF_LINES} more lines"]
    return "\n".join(lines)
