"""All that a guest can ask of the world: WASI preview 1 with nothing behind it but one socket.

Every function that CPython's module imports is here (``wasi_snapshot_preview1``, witx of WASI snapshot 1). There is no
file system, no network and no descriptor of the host: descriptor 0 is the channel, 1 and 2 go to the log. (Others never
get here: the read-only file system inside the module, which holds the standard library, answers for them.)
No state of the host survives a call: what a call can change is in `Wasi.begin_call`.
"""

import struct
from collections.abc import Callable
from typing import Final, Protocol

from executor.sandbox.frames import MAX_FRAME_BYTES
from executor.sandbox.memory import GuestMemory, OutOfBounds
from executor.sandbox.wasmedge import Import, Terminated
from executor.sandbox.world import Machine, World, is_clock

SUCCESS: Final = 0
E_BADF: Final = 8
E_FAULT: Final = 21
E_INVAL: Final = 28
E_NOSYS: Final = 52
E_SPIPE: Final = 70
E_NOTCAPABLE: Final = 76

CHANNEL, STDOUT, STDERR = range(3)

_CHARACTER_DEVICE: Final = 2
_RIGHT_READ: Final = 1 << 1
_RIGHT_WRITE: Final = 1 << 6
_RIGHTS: Final = {CHANNEL: _RIGHT_READ | _RIGHT_WRITE, STDOUT: _RIGHT_WRITE, STDERR: _RIGHT_WRITE}
_MAX_IOVECS: Final = 1024
_MAX_RANDOM_BYTES: Final = 1 << 20
_MAX_SUBSCRIPTIONS: Final = 64
_SUBSCRIPTION: Final = struct.Struct("<QB7xI4xQQH6x")
_EVENT: Final = struct.Struct("<QHB5xQH6x")
_EVENT_CLOCK: Final = 0
_ABSOLUTE_TIME: Final = 1


class Outside(Protocol):
    """What stands behind descriptors 0 to 2 during a call."""

    def printed(self, descriptor: int, data: bytes) -> None:
        """The guest wrote ``data`` to descriptor 1 or 2."""

    def frame_from_guest(self, kind: int, payload: bytes) -> bool:
        """The guest sent a frame; returns whether it was one that a guest may send."""

    def bytes_for_guest(self) -> bytes:
        """Next bytes for the guest to read from the channel; waits for them; empty when nothing is to come."""


class Wasi:
    """The imports of one instance. `memory` must be set before the guest runs; `checkpoint_armed` only for the boot.

    Args:
        world: what it boots in; the machine's if None.
    """

    def __init__(self, outside: Outside, arguments: list[bytes], world: World | None = None) -> None:
        self.memory: GuestMemory | None = None
        self.checkpoint_armed = False
        self.exit_status: int | None = None
        self._outside = outside
        self._arguments = [argument + b"\0" for argument in arguments]
        self._closed: set[int] = set()
        self._unread = b""
        self._machine = Machine()
        self._world = world or self._machine

    def begin_call(self, world: World | None = None) -> None:
        """Forget everything that an earlier call changed on this side.

        Args:
            world: what the call runs in; the machine's if None.
        """
        self.exit_status = None
        self._closed.clear()
        self._unread = b""
        self._world = world or self._machine
        self._world.begin_call()

    def imports(self) -> list[Import]:
        """Every import of the module, with its signature."""
        refuse = _answer(E_NOTCAPABLE)
        missing = _answer(E_BADF)
        return [
            ("args_get", "ii", True, _guarded(self._args_get)),
            ("args_sizes_get", "ii", True, _guarded(self._args_sizes_get)),
            ("environ_get", "ii", True, _answer(SUCCESS)),
            ("environ_sizes_get", "ii", True, _guarded(self._environ_sizes_get)),
            ("clock_res_get", "ii", True, _guarded(self._clock_res_get)),
            ("clock_time_get", "iIi", True, _guarded(self._clock_time_get)),
            ("random_get", "ii", True, _guarded(self._random_get)),
            ("poll_oneoff", "iiii", True, _guarded(self._poll_oneoff)),
            ("sched_yield", "", True, _answer(SUCCESS)),
            ("proc_exit", "i", False, self._proc_exit),
            ("fd_read", "iiii", True, _guarded(self._fd_read)),
            ("fd_write", "iiii", True, _guarded(self._fd_write)),
            ("fd_close", "i", True, self._fd_close),
            ("fd_fdstat_get", "ii", True, _guarded(self._fd_fdstat_get)),
            ("fd_filestat_get", "ii", True, _guarded(self._fd_filestat_get)),
            ("fd_seek", "iIii", True, self._fd_not_seekable),
            ("fd_tell", "ii", True, self._fd_not_seekable),
            ("fd_prestat_get", "ii", True, missing),
            ("fd_prestat_dir_name", "iii", True, missing),
            ("fd_advise", "iIIi", True, refuse),
            ("fd_allocate", "iII", True, refuse),
            ("fd_datasync", "i", True, refuse),
            ("fd_fdstat_set_flags", "ii", True, refuse),
            ("fd_filestat_set_size", "iI", True, refuse),
            ("fd_filestat_set_times", "iIIi", True, refuse),
            ("fd_pread", "iiiIi", True, refuse),
            ("fd_pwrite", "iiiIi", True, refuse),
            ("fd_readdir", "iiiIi", True, refuse),
            ("fd_sync", "i", True, refuse),
            ("path_create_directory", "iii", True, refuse),
            ("path_filestat_get", "iiiii", True, refuse),
            ("path_filestat_set_times", "iiiiIIi", True, refuse),
            ("path_link", "iiiiiii", True, refuse),
            ("path_open", "iiiiiIIii", True, refuse),
            ("path_readlink", "iiiiii", True, refuse),
            ("path_remove_directory", "iii", True, refuse),
            ("path_rename", "iiiiii", True, refuse),
            ("path_symlink", "iiiii", True, refuse),
            ("path_unlink_file", "iii", True, refuse),
            ("sock_accept", "iii", True, refuse),
            ("sock_recv", "iiiiii", True, refuse),
            ("sock_send", "iiiii", True, refuse),
            ("sock_shutdown", "ii", True, refuse),
        ]

    def _args_get(self, pointers: int, buffer: int) -> int:
        assert self.memory is not None
        for argument in self._arguments:
            self.memory.write(pointers, struct.pack("<I", buffer))
            self.memory.write(buffer, argument)
            pointers += 4
            buffer += len(argument)
        return SUCCESS

    def _args_sizes_get(self, count: int, size: int) -> int:
        assert self.memory is not None
        self.memory.write(count, struct.pack("<I", len(self._arguments)))
        self.memory.write(size, struct.pack("<I", sum(map(len, self._arguments))))
        return SUCCESS

    def _environ_sizes_get(self, count: int, size: int) -> int:
        assert self.memory is not None
        self.memory.write(count, bytes(4))
        self.memory.write(size, bytes(4))
        return SUCCESS

    def _clock_res_get(self, clock: int, result: int) -> int:
        assert self.memory is not None
        if self.checkpoint_armed:
            raise Terminated
        if not is_clock(clock):
            return E_INVAL
        self.memory.write(result, struct.pack("<Q", self._world.resolution_ns(clock)))
        return SUCCESS

    def _clock_time_get(self, clock: int, _precision: int, result: int) -> int:
        assert self.memory is not None
        if not is_clock(clock):
            return E_INVAL
        self.memory.write(result, struct.pack("<Q", self._world.now_ns(clock)))
        return SUCCESS

    def _random_get(self, buffer: int, length: int) -> int:
        assert self.memory is not None
        if length > _MAX_RANDOM_BYTES:
            return E_INVAL
        self.memory.write(buffer, self._world.random(length))
        return SUCCESS

    def _poll_oneoff(self, subscriptions: int, events: int, count: int, result: int) -> int:
        """Sleeps until the first clock; descriptors are always ready."""
        assert self.memory is not None
        if not 0 < count <= _MAX_SUBSCRIPTIONS:
            return E_INVAL
        asked = [
            _SUBSCRIPTION.unpack(self.memory.read(subscriptions + i * _SUBSCRIPTION.size, _SUBSCRIPTION.size))
            for i in range(count)
        ]
        ready = [(user, kind) for user, kind, *_ in asked if kind != _EVENT_CLOCK]
        if not ready:
            waits = []
            for _, _, clock, timeout_ns, _, flags in asked:
                if not is_clock(clock):
                    return E_INVAL
                now_ns = self._world.now_ns(clock) if flags & _ABSOLUTE_TIME else 0
                waits.append(max(0, timeout_ns - now_ns))
            first_ns = min(waits)
            self._world.sleep(first_ns)
            ready = [(asked[i][0], _EVENT_CLOCK) for i, wait in enumerate(waits) if wait == first_ns]
        for i, (user, kind) in enumerate(ready):
            self.memory.write(events + i * _EVENT.size, _EVENT.pack(user, 0, kind, 0, 0))
        self.memory.write(result, struct.pack("<I", len(ready)))
        return SUCCESS

    def _proc_exit(self, status: int) -> int:
        self.exit_status = status
        raise Terminated

    def _fd_read(self, descriptor: int, iovecs: int, count: int, result: int) -> int:
        assert self.memory is not None
        if descriptor != CHANNEL:
            return E_BADF
        read = 0
        for address, length in self._iovecs(iovecs, count):
            if length:
                if not self._unread:
                    if read:
                        break
                    self._unread = self._outside.bytes_for_guest()
                part, self._unread = self._unread[:length], self._unread[length:]
                self.memory.write(address, part)
                read += len(part)
        self.memory.write(result, struct.pack("<I", read))
        return SUCCESS

    def _fd_write(self, descriptor: int, iovecs: int, count: int, result: int) -> int:
        assert self.memory is not None
        if descriptor not in (STDOUT, STDERR, CHANNEL) or descriptor in self._closed:
            return E_BADF
        parts = self._iovecs(iovecs, count)
        length = sum(part_length for _, part_length in parts)
        if length > MAX_FRAME_BYTES:
            return E_INVAL
        data = b"".join(self.memory.read(address, part_length) for address, part_length in parts)
        if descriptor == CHANNEL:
            if not data or not self._outside.frame_from_guest(data[0], data[1:]):
                return E_INVAL
        else:
            self._outside.printed(descriptor, data)
        self.memory.write(result, struct.pack("<I", length))
        return SUCCESS

    def _fd_close(self, descriptor: int) -> int:
        if descriptor not in (STDOUT, STDERR) or descriptor in self._closed:
            return E_BADF  # the channel can't be closed: it is not the plugin's
        self._closed.add(descriptor)
        return SUCCESS

    def _fd_fdstat_get(self, descriptor: int, result: int) -> int:
        assert self.memory is not None
        if descriptor not in _RIGHTS or descriptor in self._closed:
            return E_BADF
        self.memory.write(result, struct.pack("<BxH4xQQ", _CHARACTER_DEVICE, 0, _RIGHTS[descriptor], 0))
        return SUCCESS

    def _fd_filestat_get(self, descriptor: int, result: int) -> int:
        assert self.memory is not None
        if descriptor not in _RIGHTS or descriptor in self._closed:
            return E_BADF
        self.memory.write(result, struct.pack("<QQB7xQQQQQ", 0, 0, _CHARACTER_DEVICE, 1, 0, 0, 0, 0))
        return SUCCESS

    def _fd_not_seekable(self, descriptor: int, *_: int) -> int:
        return E_SPIPE if descriptor in _RIGHTS and descriptor not in self._closed else E_BADF

    def _iovecs(self, address: int, count: int) -> list[tuple[int, int]]:
        assert self.memory is not None
        if count > _MAX_IOVECS:
            raise OutOfBounds("too many buffers")
        return list(struct.iter_unpack("<II", self.memory.read(address, count * 8)))


def _guarded(function: Callable[..., int]) -> Callable[..., int]:
    """Turn an address outside the guest's memory into EFAULT."""

    def call(*arguments: int) -> int:
        try:
            return function(*arguments)
        except OutOfBounds:
            return E_FAULT

    return call


def _answer(errno: int) -> Callable[..., int]:
    def call(*_: int) -> int:
        return errno

    return call
