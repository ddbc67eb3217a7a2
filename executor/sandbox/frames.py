"""Frames on the one socket between an executor and a sandbox process: ``<u32 length><u8 kind>`` and the payload.

Little-endian. The guest's part of a frame is its kind and payload; the length is written by the host, so that a guest
can neither forge the end of a frame nor a frame of the host.
"""

import struct
from typing import Final

HEADER: Final = struct.Struct("<IB")
MAX_FRAME_BYTES: Final = 16 * 1024 * 1024
"""No frame is longer, in either direction."""

# Executor → sandbox.
TASK: Final = 1
"""A call of the prepared plugin: `TASK_HEADER`, then its input (bytes)."""
REPLY: Final = 2
"""Answer of a `REQUEST`: JSON, ``{"ok": true, "value": …}`` or ``{"ok": false, "error": …, "code": …}``."""
CHECK: Final = 3
"""A plugin's files (`executor.sandbox.bundle`) to be compiled, not run; answered by `RESULT`."""
PREPARE: Final = 4
"""Files of the one plugin that this process serves from now on; answered by `RESULT`."""
WARM: Final = 5
"""Sent to a process that waits for a plugin: touch the pages that one will touch. Answered by the same, empty."""

# Guest → executor.
OUTPUT: Final = 16
"""One piece of output: bytes."""
REQUEST: Final = 17
"""A request for something outside: JSON, ``{"operation": …, "arguments": {…}}``. The guest then waits for `REPLY`."""
RESULT: Final = 18
"""How the plugin ended: error type (empty: well), NUL, text. The last one before `EXIT` counts. Of a `CHECK`: NUL, JSON
as `schemas.messages.CheckReply`."""
CHUNK: Final = 20
"""Bytes of output that go on where the last piece ended."""

READY: Final = 19
"""Guest → host only, once, when it has booted: `READY_PAYLOAD`."""

# Host → executor.
LOG: Final = 32
"""What the plugin printed (file descriptors 1 and 2): one byte, the descriptor, then bytes."""
EXIT: Final = 33
"""The call is over; `EXIT_PAYLOAD`."""

GUEST_KINDS: Final = frozenset((OUTPUT, REQUEST, RESULT, CHUNK))

TASK_HEADER: Final = struct.Struct("<I?QQ32s")
"""How many bytes of printed text the executor wants at most; whether it wants each piece of output at once; of a call
with a tape: its time and seed (`executor.sandbox.world.Start`, 0 and zeros of any other call) with, between them, up to
how many ns after its start nothing is slept."""
NOT_ON_TAPE: Final = (0, 0, b"")
"""The last three, of any other call."""
REPLY_ON_TAPE: Final = struct.Struct("<Q")
"""What a `REPLY` of a call with a tape begins with: how many ns it was waited for."""

READY_PAYLOAD: Final = struct.Struct("<IIIII")
"""Addresses of the functions that serve a call, check source and prepare a plugin, an empty tuple, the functions' type.
"""

EXIT_PAYLOAD: Final = struct.Struct("<B?IIIII")
"""Reason (`RETURNED`, …), whether the process takes another call, WasmEdge's error code or the exit status, restore µs
(before this call), run µs, CPU µs, memory in 64 KiB pages."""

RETURNED: Final = 0
EXITED: Final = 1
TRAPPED: Final = 2

STATUS_OF: Final = b"?"
"""Begins a message to the base process, see `executor.sandbox.host`."""

PAGE_BYTES: Final = 65536
"""A page of WebAssembly memory."""


class BrokenFrame(Exception):
    """What came is not a frame; the connection is of no more use."""


def pack(kind: int, *parts: bytes | memoryview) -> bytes:
    """A whole frame."""
    return b"".join((HEADER.pack(sum(map(len, parts)), kind), *parts))


class FrameDecoder:
    """Cuts a stream of bytes into frames; holds at most one unfinished frame.

    Raises:
        BrokenFrame: a length over `MAX_FRAME_BYTES`.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """All frames that ``data`` completes, as (kind, payload)."""
        buffer = self._buffer
        buffer += data
        frames = []
        position = 0
        while len(buffer) - position >= HEADER.size:
            length, kind = HEADER.unpack_from(buffer, position)
            if length > MAX_FRAME_BYTES:
                raise BrokenFrame(f"a frame of {length:,} bytes, at most {MAX_FRAME_BYTES:,} are allowed")
            end = position + HEADER.size + length
            if len(buffer) < end:
                break
            frames.append((kind, bytes(buffer[position + HEADER.size : end])))
            position = end
        del buffer[:position]
        return frames
