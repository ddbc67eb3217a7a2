"""One sandbox process, seen from the executor: a task goes in, frames come out, and it can be killed at any time."""

import asyncio
import time
from dataclasses import dataclass
from typing import Protocol, cast

from executor.backend import Base, Process
from executor.sandbox import frames

MAX_FRAMES_A_SECOND = 100_000
"""Of one sandbox; a print is a frame."""
_WINDOW_SECONDS = 0.1


@dataclass(frozen=True)
class Exit:
    """How a call ended, as the host process reports it; times in microseconds."""

    reason: int
    code: int
    restore_us: int
    run_us: int
    cpu_us: int
    memory_bytes: int


class Listener(Protocol):
    """Who is told what a sandbox does during a call. None of these may block."""

    def on_frame(self, kind: int, payload: bytes) -> None:
        """The guest or its host sent a frame that is not EXIT."""

    def on_exit(self, exit: Exit | None) -> None:
        """The call is over; None: the process is gone without a word."""


class Sandbox(asyncio.Protocol):
    """A sandbox process. It runs one call at a time; after a bad one it is `fit` for no other."""

    def __init__(self, base: Base, process: Process) -> None:
        self.base = base
        self.pid = process.pid
        self.fit = True
        self.calls = 0
        """How many it has been sent, its preparation included."""
        self.digest = ""
        """Of the revision that it is prepared for."""
        self._process = process
        self._decoder = frames.FrameDecoder()
        self._listener: Listener | None = None
        self._transport: asyncio.Transport | None = None
        self._window_began = 0.0
        self._window_frames = 0

    @classmethod
    async def start(cls, base: Base, memory_bytes: int) -> "Sandbox":
        """Fork a sandbox process from ``base``, with this limit of linear memory.

        Raises:
            BaseFailed: the base process is gone.
        """
        process = await base.fork(memory_bytes)
        sandbox = cls(base, process)
        try:
            await asyncio.get_running_loop().create_unix_connection(lambda: sandbox, sock=process.connection)
        except BaseException:
            process.connection.close()
            sandbox.kill()
            raise
        return sandbox

    def alive(self) -> bool:
        """Whether the process runs, asked of the kernel: word of an end may still be on its way through the loop."""
        return self._process.alive()

    def call(self, kind: int, parts: tuple[bytes, ...], listener: Listener) -> None:
        """Send a TASK or CHECK; ``listener`` hears of everything until and with `on_exit`."""
        self.calls += 1
        self._listener = listener
        if self._transport is None or not self.fit:
            self._ended(None)
            return
        self._transport.write(frames.pack(kind, *parts))

    def reply(self, payload: bytes) -> None:
        """Answer the guest's request."""
        if self._transport is not None and self.fit:
            self._transport.write(frames.pack(frames.REPLY, payload))

    def kill(self) -> None:
        """End the process now; the listener hears `on_exit(None)` at once."""
        self.fit = False
        self._process.end()
        if self._transport is not None:
            self._transport.abort()
            self._transport = None
        self._ended(None)

    async def killed_from_outside(self) -> bool:
        """Of a process that ended without a word: whether by somebody's SIGKILL, the kernel's perhaps."""
        return await self.base.was_killed(self.pid)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio: the socket is ready."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop has a class of its own

    def data_received(self, data: bytes) -> None:
        """asyncio: bytes from the process, which may be hostile."""
        try:
            arrived = self._decoder.feed(data)
        except frames.BrokenFrame:
            self.kill()
            return
        self._throttle(len(arrived))
        for kind, payload in arrived:
            listener = self._listener
            if listener is None:
                self.kill()  # it speaks without having been asked
                return
            if kind == frames.EXIT:
                self._exit(payload)
            else:
                listener.on_frame(kind, payload)

    def connection_lost(self, exc: Exception | None) -> None:
        """asyncio: the process is gone, or has retired after a call that can't be undone."""
        self._transport = None
        self.kill()

    def _throttle(self, arrived: int) -> None:
        """A guest that sends more frames than anything sensible waits, rather than keep this process busy."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        if now - self._window_began > _WINDOW_SECONDS:
            self._window_began, self._window_frames = now, 0
        self._window_frames += arrived
        if self._window_frames > MAX_FRAMES_A_SECOND * _WINDOW_SECONDS and self._transport is not None:
            transport = self._transport
            transport.pause_reading()
            loop.call_at(self._window_began + _WINDOW_SECONDS, _resume, transport)

    def _exit(self, payload: bytes) -> None:
        if len(payload) != frames.EXIT_PAYLOAD.size:
            self.kill()
            return
        reason, fit, code, restore_us, run_us, cpu_us, pages = frames.EXIT_PAYLOAD.unpack(payload)
        self.fit = self.fit and fit
        self._ended(Exit(reason, code, restore_us, run_us, cpu_us, pages * frames.PAGE_BYTES))

    def cpu_seconds(self) -> float | None:
        """CPU time that the process has used in its life; None if it is gone."""
        try:
            # The kernel's number for "CPU time of that process" (clock_getcpuclockid(3)).
            return time.clock_gettime(~self.pid << 3 | 2)
        except OSError:
            return None

    def _ended(self, exit: Exit | None) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.on_exit(exit)


def _resume(transport: asyncio.Transport) -> None:
    if not transport.is_closing():
        transport.resume_reading()
