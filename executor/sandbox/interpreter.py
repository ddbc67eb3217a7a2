"""CPython inside WasmEdge: booted once, then called again and again, each time as if it had just booted."""

import struct
import time
from collections.abc import Callable
from typing import Final

from executor.sandbox import guest
from executor.sandbox.frames import READY, READY_PAYLOAD
from executor.sandbox.memory import GuestMemory
from executor.sandbox.wasi import Outside, Wasi
from executor.sandbox.wasmedge import TERMINATE, Instance, Pointer
from executor.sandbox.world import Start, Tape, World

_TP_CALL: Final = 64
"""Offset of ``tp_call`` in ``PyTypeObject`` on a 32-bit platform (CPython 3.12, ``Include/cpython/object.h``)."""


class BootFailed(Exception):
    """The interpreter did not reach its checkpoint."""


class _Boot:
    """What stands outside while the interpreter boots: only the READY frame is expected, after which it stops."""

    def __init__(self, on_ready: Callable[[], None]) -> None:
        self._on_ready = on_ready
        self.ready: bytes | None = None
        self.text = bytearray()

    def printed(self, descriptor: int, data: bytes) -> None:
        self.text += data

    def frame_from_guest(self, kind: int, payload: bytes) -> bool:
        if kind != READY:
            return False
        self.ready = payload
        self._on_ready()
        return True

    def bytes_for_guest(self) -> bytes:
        raise BootFailed("the interpreter asked for input while it booted")


class _Switch:
    """Stands outside for the whole life of the instance, and passes on to who is there now."""

    def __init__(self, current: Outside) -> None:
        self.current = current

    def printed(self, descriptor: int, data: bytes) -> None:
        self.current.printed(descriptor, data)

    def frame_from_guest(self, kind: int, payload: bytes) -> bool:
        return self.current.frame_from_guest(kind, payload)

    def bytes_for_guest(self) -> bytes:
        return self.current.bytes_for_guest()


class Interpreter:
    """A booted CPython, waiting at its snapshot.

    Args:
        engine: path of the compiled module.
        sdk: source of ``platform_sdk``.
        birth: time and chance while it boots and prepares a plugin; from what is equal here follows what is equal in
            every call of a tape.

    Raises:
        BootFailed, WasmEdgeError: the message says what the interpreter or WasmEdge said.
    """

    def __init__(self, engine: str, sdk: str, birth: Start) -> None:
        boot = _Boot(self._arm_checkpoint)
        self._outside = _Switch(boot)
        self._birth = birth
        self._wasi = Wasi(self._outside, guest.arguments(sdk), Tape(birth, begins_ns=0))
        self._instance = Instance(engine, self._wasi.imports())
        self._limit_memory = self._instance.memory_limiter()
        self._memory = GuestMemory(self._instance.memory_address(), self._instance.memory_pages)
        self._wasi.memory = self._memory
        code = self._instance.start()
        self._wasi.checkpoint_armed = False
        if code != TERMINATE or boot.ready is None:
            text = boot.text.decode("utf-8", "replace").strip()
            raise BootFailed(f"the interpreter did not boot (WasmEdge code {code:#x}): {text or 'it said nothing'}")
        serve, check, prepare, arguments_tuple, function_type = READY_PAYLOAD.unpack(boot.ready)
        entry = self._instance.function(self._u32(function_type + _TP_CALL))
        self._serve = self._callable(entry, serve, arguments_tuple)
        self._check = self._callable(entry, check, arguments_tuple)
        self._prepare = self._callable(entry, prepare, arguments_tuple)
        self._stack_pointer = self._instance.stack_pointer()
        self._memory.snapshot()

    @property
    def exit_status(self) -> int | None:
        """What the guest said to ``proc_exit`` in this call, if it did."""
        return self._wasi.exit_status

    def enter_process(self, pagemap: int, spare: int, memory_pages: int) -> None:
        """To be called first in a process that was forked from the one that booted; see `GuestMemory.watch`.

        Args:
            memory_pages: how far memory may grow, in 64 KiB pages. (It is no smaller than it was at the snapshot.)
        """
        self._limit_memory(memory_pages)
        self._memory.watch(pagemap, spare)

    def serve(self, outside: Outside, world: World | None = None) -> tuple[int, int]:
        """Run a call; returns (WasmEdge's error code, address of the returned object, 0 if it raised).

        Args:
            world: what it runs in; the machine's if None.
        """
        return self._enter(self._serve, outside, world)

    def check(self, outside: Outside) -> tuple[int, int]:
        """Compile a source; returns as `serve` does."""
        return self._enter(self._check, outside)

    def prepare(self, outside: Outside) -> tuple[int, int]:
        """Make this the interpreter of one plugin; returns as `serve` does. `keep` makes it last."""
        return self._enter(self._prepare, outside, Tape(self._birth))

    def keep(self) -> None:
        """From now on `restore` brings back what is now, not what was at the boot."""
        self._memory.keep()

    def memory_pages(self) -> int:
        """Size of linear memory in 64 KiB pages."""
        return self._instance.memory_pages()

    def grown(self) -> bool:
        """Whether the call made memory grow, which `restore` can't undo."""
        return self._memory.grown()

    def restore(self) -> int:
        """Make everything as it was at the snapshot; returns how long that took in microseconds."""
        started_ns = time.perf_counter_ns()
        self._memory.restore()
        self._instance.set_stack_pointer(self._stack_pointer)
        return (time.perf_counter_ns() - started_ns) // 1000

    def _arm_checkpoint(self) -> None:
        self._wasi.checkpoint_armed = True

    def _enter(
        self, call: Callable[[], tuple[int, int]], outside: Outside, world: World | None = None
    ) -> tuple[int, int]:
        self._wasi.begin_call(world)
        self._outside.current = outside
        return call()

    def _callable(self, entry: Pointer, function: int, arguments: int) -> Callable[[], tuple[int, int]]:
        # tp_call(callable, args, kwargs): what CPython itself does to call an object.
        return self._instance.prepare_call(entry, function, arguments, 0)

    def _u32(self, address: int) -> int:
        return int(struct.unpack("<I", self._memory.read(address, 4))[0])
