"""A stand-in for a plugin, run in a process that waits for one; what is left of it is that its pages are there."""

from typing import Final

from executor.sandbox.bundle import MAIN, bundle
from executor.sandbox.frames import GUEST_KINDS, TASK_HEADER
from executor.sandbox.interpreter import Interpreter

_SOURCE: Final = b"from platform_sdk import get_input, send_output\nsend_output(get_input())\n"


class _Nobody:
    """Listens to it, and says one thing."""

    def __init__(self, said: bytes) -> None:
        self._said = said

    def printed(self, descriptor: int, data: bytes) -> None:
        pass

    def frame_from_guest(self, kind: int, payload: bytes) -> bool:
        return kind in GUEST_KINDS

    def bytes_for_guest(self) -> bytes:
        said, self._said = self._said, b""
        return len(said).to_bytes(4, "little") + said


def warm_up(interpreter: Interpreter) -> bool:
    """Run it and undo it; returns whether the process is as before, and so fit for a plugin."""
    for run, said in (
        (interpreter.prepare, b"".join(bundle({MAIN: _SOURCE}))),
        (interpreter.serve, TASK_HEADER.pack(0, False, 0, 0, b"") + b"warm"),
    ):
        code, returned = run(_Nobody(said))
        if code or not returned or interpreter.grown():
            return False
    interpreter.restore()
    return True
