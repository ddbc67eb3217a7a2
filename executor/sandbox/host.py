"""Entry of a base process: boots one interpreter, then forks a sandbox process for each connection it is handed.

Started by `executor.base` through `executor.engine.launch`. Descriptor 0 is the control socket (SOCK_SEQPACKET): a
message ``fork`` with one descriptor asks for a process that serves that descriptor; the answer is its process id, with
a pidfd by which it can be killed and waited for without doubt. The base never runs a plugin.
"""

import array
import contextlib
import ctypes
import gc
import os
import resource
import signal
import socket
import sys

from executor.sandbox.interpreter import Interpreter
from executor.sandbox.process import serve

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38
_SERVED = 3


def main(engine: str, sdk_path: str, memory_pages: int) -> None:
    """Boot, say so, fork on request; ends when the executor closes the control socket or dies."""
    _die_with_parent()
    control = socket.socket(fileno=0)
    try:
        with open(sdk_path, encoding="utf-8") as file:
            interpreter = Interpreter(engine, file.read(), memory_pages)
    except Exception as error:  # noqa: BLE001
        control.send(f"failed {type(error).__name__}: {error}".encode()[:4000])
        return
    _give_back_memory()
    # Children are waited for through their pidfd by the executor; nobody here collects their status.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    control.send(b"ready")
    while True:
        message, ancillary, _, _ = control.recvmsg(16, socket.CMSG_SPACE(array.array("i").itemsize))
        descriptors = _descriptors(ancillary)
        if not message or not descriptors:
            return
        child = os.fork()
        if child == 0:
            os.close(0)
            os._exit(_run_child(interpreter, descriptors[0]))
        for descriptor in descriptors:
            os.close(descriptor)
        _announce(control, child)


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


def _run_child(interpreter: Interpreter, descriptor: int) -> int:
    status = 1
    try:
        _close_all_but(descriptor)
        interpreter.enter_process()
        _confine()
        serve(interpreter, socket.socket(fileno=_SERVED))
        status = 0
    except BaseException:  # noqa: BLE001
        status = 1
    return status


def _close_all_but(descriptor: int) -> None:
    """Leave the process no descriptor but its socket, as `_SERVED`, and silence behind the standard ones."""
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        if nothing != standard:
            os.dup2(nothing, standard)
    if descriptor != _SERVED:
        os.dup2(descriptor, _SERVED, inheritable=False)
    os.closerange(_SERVED + 1, resource.getrlimit(resource.RLIMIT_NOFILE)[0])


def _confine() -> None:
    """Take away what the process will not need. Namespaces and system call filters come on top of this."""
    _die_with_parent()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    # Only a second snapshot of a memory that grew needs one more.
    resource.setrlimit(resource.RLIMIT_NOFILE, (_SERVED + 3, _SERVED + 3))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _prctl(_PR_SET_NO_NEW_PRIVS, 1)
    _prctl(_PR_SET_DUMPABLE, 0)


def _die_with_parent() -> None:
    parent = os.getppid()
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)  # it died before the kernel knew


def _prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option})")


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


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
