"""Entry of a base process: boots one interpreter, then forks a sandbox process for each connection it is handed.

Started by `executor.base` through `executor.engine.launch`. Descriptor 0 is the control socket (SOCK_SEQPACKET). First
it is told its birth (`executor.sandbox.world.Start`) and says, in JSON, ``{"layers": […], "missing": {…}}``, which
layers of confinement are in force and why others are not, or ``{"failed": …}``. A message with one descriptor then
asks for a process that serves that descriptor; its text is how far the guest's memory may grow there, in pages of
64 KiB. The answer is its process id, with a pidfd by which it can be killed and waited for without doubt. A message
`STATUS_OF` and a process id asks how a child ended that is as good as gone; the answer is its exit status, negative if
it is a signal's, or ``?``. The base never runs a plugin.
"""

import array
import contextlib
import ctypes
import gc
import json
import os
import signal
import socket
import traceback

from executor.sandbox.confine import SERVED, Confinement, die_with_parent
from executor.sandbox.frames import PAGE_BYTES, STATUS_OF
from executor.sandbox.interpreter import Interpreter
from executor.sandbox.process import serve
from executor.sandbox.world import Start

_MAX_MESSAGE_BYTES = 8000
_MAX_STATUSES = 1000


def main(engine: str, sdk_path: str) -> None:
    """Boot, say so, fork on request; ends when the executor closes the control socket or dies."""
    die_with_parent()
    control = socket.socket(fileno=0)
    confinement = Confinement()
    try:
        birth = Start.unpack(control.recv(64))
        with open(sdk_path, encoding="utf-8") as file:
            interpreter = Interpreter(engine, file.read(), birth)
        confinement.confine_base()
    except Exception as error:  # noqa: BLE001
        text = f"{type(error).__name__}: {error}\n{traceback.format_exc(limit=-3)}"
        control.send(json.dumps({"failed": text[: _MAX_MESSAGE_BYTES // 2]}).encode())
        return
    _give_back_memory()
    statuses = _Statuses()
    signal.signal(signal.SIGCHLD, statuses.collect)
    control.send(json.dumps({"layers": confinement.layers, "missing": confinement.missing}).encode())
    while True:
        message, ancillary, _, _ = control.recvmsg(16, socket.CMSG_SPACE(array.array("i").itemsize))
        descriptors = _descriptors(ancillary)
        if message.startswith(STATUS_OF):
            control.send(statuses.of(int(message.removeprefix(STATUS_OF))))
            continue
        if not message or not descriptors:
            return
        child = os.fork()
        if child == 0:
            os._exit(_run_child(interpreter, confinement, descriptors[0], int(message)))
        for descriptor in descriptors:
            os.close(descriptor)
        _announce(control, child)


class _Statuses:
    """How the last children ended."""

    def __init__(self) -> None:
        self._known: dict[int, int] = {}

    def collect(self, *_: object) -> None:
        """Take them from the kernel; a signal handler."""
        with contextlib.suppress(ChildProcessError):
            while (ended := os.waitpid(-1, os.WNOHANG))[0]:
                self._keep(*ended)

    def of(self, pid: int) -> bytes:
        """For an answer."""
        with contextlib.suppress(ChildProcessError):
            # Its socket is closed a moment before there is a status.
            self._keep(*os.waitpid(pid, 0))
        status = self._known.pop(pid, None)
        return b"?" if status is None else b"%d" % os.waitstatus_to_exitcode(status)

    def _keep(self, pid: int, status: int) -> None:
        self._known[pid] = status
        while len(self._known) > _MAX_STATUSES:
            del self._known[next(iter(self._known))]


def _announce(control: socket.socket, child: int) -> None:
    try:
        pidfd = os.pidfd_open(child)
    except ProcessLookupError:
        control.send(b"0")  # it is gone already
        return
    try:
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [pidfd]))]
        control.sendmsg([str(child).encode()], rights)
    finally:
        os.close(pidfd)


def _run_child(interpreter: Interpreter, confinement: Confinement, descriptor: int, memory_pages: int) -> int:
    try:
        interpreter.enter_process(*confinement.close_all_but(descriptor), memory_pages)
        confinement.confine_child(memory_pages * PAGE_BYTES)
        serve(interpreter, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0, fileno=SERVED))
    except BaseException:  # noqa: BLE001
        return 1  # there is nobody to tell: what it says ends with its socket
    return 0


def _give_back_memory() -> None:
    """Pages that stay resident here cost every fork time."""
    gc.collect()
    gc.freeze()
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)


def _descriptors(ancillary: list[tuple[int, int, bytes]]) -> list[int]:
    found = array.array("i")
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            found.frombytes(data[: len(data) - len(data) % found.itemsize])
    return list(found)
