"""CPU time, which this CPython does not know: it asks `times`, which is neither that nor in the unit it expects."""

import os
import time

# A clock's identifier is the address of its number there (wasi-libc: struct __clockid); 2 is the CPU time of a process.
_NUMBER = (2).to_bytes(4, "little")
_CPU = id(_NUMBER) + bytes.__basicsize__ - 1


def install():
    """Put right what `time` and `os` say of it."""
    clock_ns, monotonic = time.clock_gettime_ns, time.monotonic

    def process_time():
        """As `time.process_time`."""
        return clock_ns(_CPU) / 1e9

    def process_time_ns():
        """As `time.process_time_ns`."""
        return clock_ns(_CPU)

    def times():
        """As `os.times`."""
        return os.times_result((process_time(), 0.0, 0.0, 0.0, monotonic()))

    time.process_time, time.process_time_ns, os.times = process_time, process_time_ns, times
