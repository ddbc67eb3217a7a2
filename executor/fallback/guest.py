"""The process that a plugin runs in without a sandbox: the sandbox's own guest code, on a socket instead of WASI.

Started by `executor.fallback.base`. It prepares one plugin (or checks one source), serves one call, and ends.
"""

import _sitebuiltins
import builtins
import contextlib
import importlib
import io
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple, NoReturn

from executor.fallback import refusals
from executor.sandbox import frames

_CHANNEL, _STDOUT, _STDERR = range(3)
_LOOK_SECONDS = 1.0
_LINUX: Final = sys.platform.startswith("linux")


class Gone(Exception):
    """The executor closed the socket."""


class Channel:
    """Descriptors 0 to 2 as the guest code knows them, in frames on a socket.

    ``read`` and ``write`` take the place of `os.read` and `os.write`: one write to descriptor 0 is one frame, a read
    continues the executor's last one (u32 length, then its payload).
    """

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._unread = b""
        self._read, self._write = os.read, os.write
        self.printed_bytes = 0
        """How much more the executor wants to have of what is printed."""

    def receive(self) -> tuple[int, bytes]:
        """The next frame; its payload is what the guest reads next."""
        length, kind = frames.HEADER.unpack(self._exactly(frames.HEADER.size))
        payload = self._exactly(length)
        self._unread = length.to_bytes(4, "little") + payload
        return kind, payload

    def send(self, kind: int, *parts: bytes) -> None:
        """Send a frame."""
        self._connection.sendall(frames.pack(kind, *parts))

    def read(self, descriptor: int, length: int) -> bytes:
        """As `os.read`."""
        if descriptor != _CHANNEL:
            return self._read(descriptor, length)
        if not self._unread:
            self.receive()
        part, self._unread = self._unread[:length], self._unread[length:]
        return part

    def write(self, descriptor: int, data: Any) -> int:
        """As `os.write`."""
        if descriptor == _CHANNEL:
            self.send(data[0], bytes(data[1:]))
        elif descriptor in (_STDOUT, _STDERR):
            part = bytes(data[: self.printed_bytes])
            self.printed_bytes -= len(part)
            if part:
                self.send(frames.LOG, bytes((descriptor,)), part)
        else:
            return self._write(descriptor, data)
        return len(data)

    def _exactly(self, length: int) -> bytes:
        data = b""
        while len(data) < length:
            part = self._connection.recv(length - len(data))
            if not part:
                raise Gone
            data += part
        return data


class _Printed(io.RawIOBase):
    """What `print` writes to."""

    def __init__(self, channel: Channel, descriptor: int) -> None:
        self._channel = channel
        self._descriptor = descriptor

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return self._channel.write(self._descriptor, memoryview(data).cast("B").tobytes())


class Guest(NamedTuple):
    """The guest code's entries, each of which reads its frame and answers it."""

    serve: Callable[[], None]
    check: Callable[[], None]
    prepare: Callable[[], None]


def main(project: str, descriptor: int, memory_bytes: int) -> None:
    """Boot the guest code, serve, end."""
    _end_with_parent()
    channel = Channel(socket.socket(fileno=descriptor))
    guest = _boot(channel, Path(project))
    sys.path.remove(project)
    _limit_memory(memory_bytes)
    refusals.install()
    with contextlib.suppress(Gone, OSError):
        while _serve_one(channel, guest):
            pass
    os._exit(0)


def _boot(channel: Channel, project: Path) -> Guest:
    """What `executor/sandbox/guest/boot.py` does in the sandbox."""
    os.read, os.write = channel.read, channel.write
    for name, number, on_error in (("stdout", _STDOUT, "replace"), ("stderr", _STDERR, "backslashreplace")):
        text = io.TextIOWrapper(io.BufferedWriter(_Printed(channel, number)), "utf-8", on_error, line_buffering=True)
        setattr(sys, name, text)
        setattr(sys, f"__{name}__", text)
    package = "executor.sandbox.guest"
    names = importlib.import_module(package).MODULES
    part: dict[str, Any] = {name: importlib.import_module(f"{package}.{name}") for name in names}
    sdk = part["sdk"].install((project / "sdk" / "platform_sdk.py").read_text(encoding="utf-8"))
    part["errors"].AIError = sdk.AIError
    part["errors"]._REFUSALS = refusals.ERRNOS
    part["loop"].install()
    builtins.exit = _sitebuiltins.Quitter("exit", "Ctrl-D")
    builtins.quit = _sitebuiltins.Quitter("quit", "Ctrl-D")
    sys.argv = [part["prepare"].FILE]
    # What is here for this process's own sake is none of the plugin's.
    for name in [name for name in sys.modules if name.partition(".")[0] == "executor"]:
        del sys.modules[name]
    return Guest(part["serve"].serve, part["check"].check, part["prepare"].prepare)


def _serve_one(channel: Channel, guest: Guest) -> bool:
    """Serve one frame of the executor's; returns whether another may follow."""
    kind, payload = channel.receive()
    runs = {frames.TASK: guest.serve, frames.CHECK: guest.check, frames.PREPARE: guest.prepare}
    if kind == frames.TASK:
        channel.printed_bytes, *_ = frames.TASK_HEADER.unpack_from(payload)
    started_ns, cpu_seconds = time.perf_counter_ns(), time.process_time()
    fit = kind == frames.PREPARE
    leave = os._exit

    def send_exit(reason: int, code: int) -> None:
        run_us = (time.perf_counter_ns() - started_ns) // 1000
        cpu_us = int((time.process_time() - cpu_seconds) * 1e6)
        channel.send(frames.EXIT, frames.EXIT_PAYLOAD.pack(reason, fit, code, 0, run_us, cpu_us, _pages()))

    def end_interpreter(status: int) -> NoReturn:
        send_exit(frames.EXITED, status & 0xFF)
        leave(status)

    os._exit = end_interpreter
    runs[kind]()
    os._exit = leave
    send_exit(frames.RETURNED, 0)
    return fit


def _pages() -> int:
    """The most memory this process has had, in pages as WebAssembly counts them."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most * (1024 if _LINUX else 1) // frames.PAGE_BYTES


def _limit_memory(memory_bytes: int) -> None:
    with contextlib.suppress(OSError, ValueError):  # not every system has this limit
        resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))


def _end_with_parent() -> None:
    """End when the executor is gone, at the latest when this computes."""
    parent, leave = os.getppid(), os._exit

    def look(_number: int, _frame: object) -> None:
        if os.getppid() != parent:
            leave(1)

    signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, _LOOK_SECONDS, _LOOK_SECONDS)
