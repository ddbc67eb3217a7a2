"""The life of a sandbox process: take a task, run it, report, restore; until a call leaves something behind."""

import resource
import socket
import struct
import time
from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple

from executor.sandbox.frames import (
    CHECK,
    CHUNK,
    EXIT,
    EXIT_PAYLOAD,
    EXITED,
    GUEST_KINDS,
    HEADER,
    LOG,
    MAX_FRAME_BYTES,
    OUTPUT,
    PREPARE,
    REPLY,
    REPLY_ON_TAPE,
    REQUEST,
    RESULT,
    RETURNED,
    TASK,
    TASK_HEADER,
    TRAPPED,
    WARM,
    BrokenFrame,
    pack,
)
from executor.sandbox.interpreter import Interpreter
from executor.sandbox.memory import OutOfBounds
from executor.sandbox.warm import warm_up
from executor.sandbox.wasi import Outside
from executor.sandbox.wasmedge import TERMINATE
from executor.sandbox.world import Start, Tape

_U32_MAX: Final = 0xFFFF_FFFF
_MAX_DEFERRED_BYTES: Final = 64 * 1024


class ExecutorGone(Exception):
    """The other end of the socket is closed: there is nobody to run anything for."""


class Channel:
    """The socket to the executor, in whole frames, blocking: the deadline is the executor's, which kills."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._deferred: list[bytes] = []
        self._deferred_bytes = 0

    def send(self, kind: int, *parts: bytes) -> None:
        """Send a frame, after those that were deferred; waits while the executor does not read."""
        self._deferred.append(pack(kind, *parts))
        data = b"".join(self._deferred)
        self._deferred.clear()
        self._deferred_bytes = 0
        self._connection.sendall(data)

    def defer(self, kind: int, payload: bytes) -> None:
        """Send a frame together with the next one, which saves the executor a wake-up."""
        if self._deferred_bytes + len(payload) > _MAX_DEFERRED_BYTES:
            self.send(kind, payload)
        else:
            self._deferred.append(pack(kind, payload))
            self._deferred_bytes += len(payload) + HEADER.size

    def receive(self) -> tuple[int, bytes]:
        """The next frame, as (kind, payload).

        Raises:
            ExecutorGone: the executor closed the socket.
            BrokenFrame: what came is too long to be a frame.
        """
        length, kind = HEADER.unpack(self._exactly(HEADER.size))
        if length > MAX_FRAME_BYTES:
            raise BrokenFrame(f"a frame of {length} bytes")
        return kind, self._exactly(length)

    def _exactly(self, length: int) -> bytes:
        data = self._connection.recv(length) if length else b""
        if len(data) == length:
            return data
        buffer = bytearray(data)
        while len(buffer) < length:
            part = self._connection.recv(length - len(buffer))
            if not part:
                raise ExecutorGone
            buffer += part
        return bytes(buffer)


class _Call:
    """What stands outside of the guest during one call."""

    def __init__(
        self, channel: Channel, task: bytes, log_bytes: int = 0, output_at_once: bool = False, tape: Tape | None = None
    ) -> None:
        self._channel = channel
        self._tape = tape
        self._next: list[bytes | None] = [task]
        """What the guest may read: the task, then one reply (None: still to come) for each of its requests."""
        self._log_left = log_bytes
        self._output_at_once = output_at_once
        self.unanswered = 0
        """Requests whose reply the guest has not read: it lies in the socket, or will."""

    def printed(self, descriptor: int, data: bytes) -> None:
        if self._log_left <= 0:
            return  # dropped here, so that a flood costs its own time and nobody else's
        part = data[: self._log_left]
        self._log_left -= len(part)
        self._channel.send(LOG, bytes((descriptor,)), part)

    def frame_from_guest(self, kind: int, payload: bytes) -> bool:
        if kind not in GUEST_KINDS:
            return False
        if kind == RESULT or (kind in (OUTPUT, CHUNK) and not self._output_at_once):
            self._channel.defer(kind, payload)
        else:
            self._channel.send(kind, payload)
        if kind == REQUEST:
            self._next = [None]
            self.unanswered += 1
        return True

    def bytes_for_guest(self) -> bytes:
        if not self._next:
            return b""
        payload = self._next.pop()
        if payload is None:
            kind, payload = self._channel.receive()
            if kind != REPLY:
                raise BrokenFrame(f"frame kind {kind} instead of a reply")
            self.unanswered -= 1
            if self._tape is not None:
                self._tape.waited(*REPLY_ON_TAPE.unpack_from(payload))
                payload = payload[REPLY_ON_TAPE.size :]
        return len(payload).to_bytes(4, "little") + payload


def serve(interpreter: Interpreter, connection: socket.socket) -> None:
    """Serve one plugin: prepare it once, run its tasks until the executor closes the socket or a call leaves the
    process unfit for another. (A process that has prepared nothing may check source instead.)

    A process is fit for another call only if the guest returned in the ordinary way, its memory did not grow and it has
    read what it asked for: then dropping the written pages and the stack pointer is all there is to undo. After a trap
    WasmEdge may hold state of the unwound call, a memory that grew can't shrink, and a reply that nobody read would be
    taken for the next call's task.
    """
    channel = Channel(connection)
    restore_us = 0
    prepared = False
    try:
        while True:
            kind, payload = channel.receive()
            call = _Call(channel, payload)
            run: Callable[[Outside], tuple[int, int]]
            if kind == TASK and prepared:
                log_bytes, output_at_once, time_ns, skip_ns, seed = TASK_HEADER.unpack_from(payload)
                tape = Tape(Start(time_ns, seed), skip_ns) if time_ns else None
                call = _Call(channel, payload, log_bytes, output_at_once, tape)
                run = partial(interpreter.serve, world=tape)
            elif kind == PREPARE and not prepared:
                run = interpreter.prepare
            elif kind == CHECK and not prepared:
                run = interpreter.check
            elif kind == WARM and not prepared and warm_up(interpreter):
                channel.send(WARM)
                continue
            else:
                return
            exit = _run(interpreter, run, call)
            if kind == PREPARE and exit.reason == RETURNED:
                interpreter.keep()
                prepared = True
                exit = exit._replace(fit=True)
            channel.send(EXIT, exit.payload(restore_us))
            if not exit.fit:
                return
            if kind != PREPARE:
                restore_us = interpreter.restore()
    except (ExecutorGone, BrokenFrame, OutOfBounds, OSError, struct.error):
        return


class _Exit(NamedTuple):
    """How a run ended."""

    reason: int
    fit: bool
    code: int
    run_us: int
    cpu_us: int
    pages: int

    def payload(self, restore_us: int) -> bytes:
        """As a frame says it."""
        times = (min(_U32_MAX, microseconds) for microseconds in (restore_us, self.run_us, self.cpu_us))
        return EXIT_PAYLOAD.pack(self.reason, self.fit, self.code & _U32_MAX, *times, self.pages)


def _run(interpreter: Interpreter, run: Callable[[Outside], tuple[int, int]], call: _Call) -> _Exit:
    started_ns = time.perf_counter_ns()
    cpu_us = _cpu_us()
    code, returned = run(call)
    reason = RETURNED if code == 0 and returned else TRAPPED
    if code == TERMINATE and interpreter.exit_status is not None:
        reason, code = EXITED, interpreter.exit_status
    return _Exit(
        reason,
        reason == RETURNED and not interpreter.grown() and not call.unanswered,
        code,
        (time.perf_counter_ns() - started_ns) // 1000,
        _cpu_us() - cpu_us,
        interpreter.memory_pages(),
    )


def _cpu_us() -> int:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return int((usage.ru_utime + usage.ru_stime) * 1e6)
