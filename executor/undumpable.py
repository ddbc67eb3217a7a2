"""No other process of the same user may look into an executor."""

import ctypes
import sys

_PR_SET_DUMPABLE = 4


def make_undumpable() -> None:
    """Refuse to be traced, read or written by whoever has no ``CAP_SYS_PTRACE`` (``prctl(2)``, ``ptrace(2)``).

    An executor holds the connection to NATS, and where the kernel gives sandboxes neither a filter nor a name space of
    their own, native code that got out of one is a process of the same user.
    """
    if sys.platform == "linux":
        # Any Linux has it; what a program started from here does about it is its own affair.
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
