"""Time and chance as a guest meets them: the machine's own, or, for a call that is recorded or replayed, a tape's."""

import hashlib
import os
import struct
import time
from typing import Final, NamedTuple, Protocol

REALTIME, MONOTONIC, PROCESS_CPU, THREAD_CPU = range(4)
"""Numbers of the clocks in WASI."""

_CLOCKS: Final = {
    REALTIME: time.CLOCK_REALTIME,
    MONOTONIC: time.CLOCK_MONOTONIC,
    PROCESS_CPU: time.CLOCK_PROCESS_CPUTIME_ID,
    THREAD_CPU: time.CLOCK_THREAD_CPUTIME_ID,
}
_RELATIVE_CLOCKS: Final = (MONOTONIC, PROCESS_CPU, THREAD_CPU)
"""They begin anew with each call."""
_CALL_BEGINS_NS: Final = 10_000_000_000
"""What they say then: later than anything that was read while the interpreter booted, so that they never run backwards.
"""
_STEP_NS: Final = 1_000
"""What a look at a tape's clock takes."""
_LONGEST_SLEEP_SECONDS: Final = 1e6
"""A longer one is cut by the executor's deadline, which kills this process."""
SEED_BYTES: Final = 32
_START: Final = struct.Struct(f"<Q{SEED_BYTES}s")


class Start(NamedTuple):
    """What a tape's time and chance begin from."""

    time_ns: int
    """Since 1970, UTC."""
    seed: bytes
    """`SEED_BYTES` of them."""

    @classmethod
    def now(cls) -> "Start":
        """One that nobody has had yet."""
        return cls(time.time_ns(), os.urandom(SEED_BYTES))

    @classmethod
    def unpack(cls, data: bytes) -> "Start":
        """Out of what `pack` made."""
        return cls(*_START.unpack(data))

    def pack(self) -> bytes:
        """As bytes."""
        return _START.pack(*self)


class World(Protocol):
    """Clocks are WASI's, by number; `is_clock` says which there are."""

    def now_ns(self, clock: int) -> int:
        """What a clock says."""

    def resolution_ns(self, clock: int) -> int:
        """In which steps it does."""

    def sleep(self, length_ns: int) -> None:
        """Let time pass."""

    def random(self, length: int) -> bytes:
        """Bytes that nobody can foresee."""

    def begin_call(self) -> None:
        """Forget what was before: how long the host is up, what other calls computed."""


def is_clock(number: int) -> bool:
    """Whether there is a clock with this number."""
    return number in _CLOCKS


class Machine:
    """The machine's time and chance."""

    def __init__(self) -> None:
        self._began_ns = dict.fromkeys(_CLOCKS, 0)
        self._set(0)
        # The kernel's generator: WasmEdge's own is fast and not made for secrets.
        self.random = os.urandom

    def begin_call(self) -> None:
        """As `World.begin_call`."""
        self._set(_CALL_BEGINS_NS)

    def now_ns(self, clock: int) -> int:
        """As `World.now_ns`."""
        return time.clock_gettime_ns(_CLOCKS[clock]) - self._began_ns[clock]

    def resolution_ns(self, clock: int) -> int:
        """As `World.resolution_ns`."""
        return max(1, int(time.clock_getres(_CLOCKS[clock]) * 1e9))

    def sleep(self, length_ns: int) -> None:
        """As `World.sleep`."""
        time.sleep(min(length_ns / 1e9, _LONGEST_SLEEP_SECONDS))

    def _set(self, ns: int) -> None:
        for clock in _RELATIVE_CLOCKS:
            self._began_ns[clock] = time.clock_gettime_ns(_CLOCKS[clock]) - ns


class Tape:
    """Time and chance that are the same each time: what they say follows from the start and what the guest does.

    Time passes by a fixed step with each look at a clock, by what the guest sleeps, and by what it waits for the
    platform's answers; computing takes none.

    Args:
        skip_ns: sleeps up to this time after the start are not slept: somebody has waited for them already.
        begins_ns: what the clocks that begin with a call say at first.
    """

    def __init__(self, start: Start, skip_ns: int = 0, begins_ns: int = _CALL_BEGINS_NS) -> None:
        self._start = start
        self._skip_ns = skip_ns
        self._begins_ns = begins_ns
        self._looked_ns = 0
        self._waited_ns = 0
        self._draws = 0

    def begin_call(self) -> None:
        """A tape begins at its start."""

    def now_ns(self, clock: int) -> int:
        """As `World.now_ns`."""
        self._looked_ns += _STEP_NS
        if clock == REALTIME:
            return self._start.time_ns + self._looked_ns + self._waited_ns
        if clock == MONOTONIC:
            return self._begins_ns + self._looked_ns + self._waited_ns
        return self._begins_ns + self._looked_ns

    def resolution_ns(self, _clock: int) -> int:
        """As `World.resolution_ns`."""
        return _STEP_NS

    def sleep(self, length_ns: int) -> None:
        """As `World.sleep`."""
        self._waited_ns += length_ns
        if self._looked_ns + self._waited_ns > self._skip_ns:
            time.sleep(min(length_ns / 1e9, _LONGEST_SLEEP_SECONDS))

    def random(self, length: int) -> bytes:
        """As `World.random`."""
        self._draws += 1
        return hashlib.shake_256(self._start.seed + self._draws.to_bytes(8, "little")).digest(length)

    def waited(self, length_ns: int) -> None:
        """The guest waited this long for an answer."""
        self._waited_ns += length_ns
