"""Native code in a confined sandbox process: what somebody has who got out of WebAssembly. Started by `test_escaped`.

It is a base process in all but one thing: `executor.sandbox.host` runs as it is, with its own confinement, but what it
forks serves orders of the test instead of a guest. An order is JSON, ``{"call": name, "arguments": […]}`` for a system
call, or ``{"do": name, …}`` for one of the functions below; so is the answer.
"""

import ctypes
import json
import mmap
import os
import socket
import sys
from collections.abc import Callable
from errno import EPERM
from typing import Any

from executor.sandbox import confine, host, interpreter
from executor.sandbox.wasmedge import Instance

_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_boxes: list[Any] = []
_NEW_USER = 0x10000000


class _NoGuest:
    """In place of an interpreter, where only the confinement counts: boots nothing."""

    def __init__(self, *_: object) -> None:
        pass

    def enter_process(self, *_: object) -> None:
        """Nothing to do."""


def main(engine: str, sdk: str, without: str) -> None:
    """Be a base process without the layers named in ``without``; with a real guest inside if that is empty."""
    # It knows the numbers of system calls by name; to be loaded before the file system goes.
    _boxes.append(ctypes.CDLL("libseccomp.so.2"))
    left_out = without.split()
    if left_out:
        host.Interpreter = _NoGuest  # type: ignore[assignment, misc]
    if "seccomp" in left_out:
        confine.Confinement._build_filter = _refused  # type: ignore[method-assign]
    if "install" in left_out:
        confine.Filter.install = _refused  # type: ignore[method-assign, assignment]
    if "users" in left_out:
        unshare = confine.Confinement._unshare
        confine.Confinement._unshare = (  # type: ignore[method-assign]
            lambda self, flags: _refused(self) if flags & _NEW_USER else unshare(self, flags)
        )
    if "namespaces" in left_out:
        confine.Confinement._unshare = lambda self, flags: _refused(self)  # type: ignore[method-assign]
    host.serve = _obey  # type: ignore[assignment]
    host.main(engine, sdk)


def _refused(_: object) -> None:
    raise OSError(EPERM, "left out by the test")


def _obey(guest: object, connection: socket.socket) -> None:
    while True:
        text = connection.recv(1 << 16)
        if not text:
            return
        order = json.loads(text)
        try:
            answer = _call(order) if "call" in order else _DO[order["do"]](guest, order)
        except OSError as error:
            answer = {"refused": error.errno}
        except BaseException as error:
            answer = {"failed": f"{type(error).__name__}: {error}"}
        connection.sendall(json.dumps(answer).encode())


def _call(order: dict[str, Any]) -> dict[str, Any]:
    named = order["call"]
    number = named if isinstance(named, int) else _boxes[0].seccomp_syscall_resolve_name(named.encode())
    if number < 0:
        return {"unknown": number}
    arguments = [_argument(argument) for argument in order["arguments"]]
    result = _libc.syscall(ctypes.c_long(number), *arguments)
    return {"refused": ctypes.get_errno()} if result == -1 else {"did": result}


def _argument(argument: Any) -> Any:
    """A number, a text (path), ``[length]``: room for an answer, ``{"bytes": hex}``, ``{"iovec": length}``."""
    if argument is None:
        return ctypes.c_void_p(None)
    if isinstance(argument, int):
        return ctypes.c_long(argument)
    if isinstance(argument, str):
        return ctypes.c_char_p(argument.encode())
    if "iovec" in argument:
        room = ctypes.create_string_buffer(argument["iovec"])
        box = (ctypes.c_size_t * 2)(ctypes.addressof(room), argument["iovec"])
        _boxes.extend((room, box))
        return box
    box = ctypes.create_string_buffer(argument[0] if isinstance(argument, list) else bytes.fromhex(argument["bytes"]))
    _boxes.append(box)
    return box


def _environment(_: object, __: dict[str, Any]) -> dict[str, Any]:
    block = ctypes.POINTER(ctypes.c_char_p).in_dll(_libc, "environ")
    first = block[0] if block else None
    return {"found": None if first is None else first.decode(), "at the start": sorted(os.environ)}


def _descriptors(_: object, __: dict[str, Any]) -> dict[str, Any]:
    """Which descriptors answer to a read or a message of no bytes, of all there could be."""
    found: dict[str, list[int]] = {"alive": []}
    for number in range(1 << 12):
        ctypes.set_errno(0)
        _libc.send(number, b"", 0, 0)
        if ctypes.get_errno() != 9:
            found["alive"].append(number)
    return found


def _take(_: object, order: dict[str, Any]) -> dict[str, Any]:
    """Take memory of a kind until it is refused, at most 8 GiB; how much was had, in MiB."""
    step = 64 << 20
    _libc.mmap.restype = ctypes.c_void_p
    taken = 0
    while taken < 8 << 30:
        address = _libc.mmap(None, ctypes.c_size_t(step), order["protection"], order["flags"], order.get("file", -1), 0)
        if address in (None, ctypes.c_void_p(-1).value):
            break
        taken += step
    return {"taken": taken >> 20, "errno": ctypes.get_errno()}


def _fill(_: object, order: dict[str, Any]) -> dict[str, Any]:
    """How far the one memory file can be written, in MiB, at most 8 GiB."""
    most = 8 << 30
    position = 0
    while position < most:
        # One page of every 16 MiB: the size counts, not the time it takes.
        try:
            os.pwrite(order["file"], b"x" * 4096, position)
        except OSError as error:
            return {"taken": position >> 20, "errno": error.errno}
        position += 16 << 20
    return {"taken": position >> 20, "errno": 0}


def _shared(guest: object, _: dict[str, Any]) -> dict[str, Any]:
    """Write into the snapshot that every process of the base has mapped; the test then looks whether others see it."""
    if not isinstance(guest, interpreter.Interpreter):
        return {"failed": "there is no guest"}
    memory = guest._memory
    address = memory._snapshot_address
    if _libc.mprotect(ctypes.c_void_p(address), ctypes.c_size_t(mmap.PAGESIZE * 16), mmap.PROT_READ | mmap.PROT_WRITE):
        return {"refused": ctypes.get_errno()}
    ctypes.memmove(address, b"\xab" * 64, 64)
    return {"did": ctypes.string_at(address, 8).hex()}


def _look(guest: object, _: dict[str, Any]) -> dict[str, Any]:
    """The first bytes of the snapshot and of the guest's memory."""
    if not isinstance(guest, interpreter.Interpreter):
        return {"failed": "there is no guest"}
    memory = guest._memory
    return {"snapshot": ctypes.string_at(memory._snapshot_address, 8).hex(), "memory": memory.read(0, 8).hex()}


def _address(guest: object, _: dict[str, Any]) -> dict[str, Any]:
    if not isinstance(guest, interpreter.Interpreter):
        return {"failed": "there is no guest"}
    instance: Instance = guest._instance
    return {
        "address": instance.memory_address(),
        "pages": instance.memory_pages(),
        "snapshot": guest._memory._snapshot_address,
    }


_DO: dict[str, Callable[[object, dict[str, Any]], dict[str, Any]]] = {
    "environment": _environment, "descriptors": _descriptors, "take": _take, "fill": _fill, "shared": _shared,
    "look": _look, "address": _address,
}  # fmt: skip

if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3])
