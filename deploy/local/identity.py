"""How root runs a program that refuses to be run by root: without an account of its own, without changing modes."""

import ctypes
import os
from collections.abc import Callable

NOBODY = 65534

_CLONE_NEWUSER = 0x10000000
_PR_SET_KEEPCAPS = 8
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAP_DAC_OVERRIDE = 1
_CAPABILITY_VERSION_3 = 0x20080522

Identity = Callable[[], bool]
"""Makes the calling process somebody else; False if this machine does not allow it. Runs between fork and exec."""


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Words(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint32) for name in ("effective", "permitted", "inheritable"))


# Loaded and laid out before any fork: a child may take no lock.
_LIBC = ctypes.CDLL(None, use_errno=True)
_HEADER = _Header(_CAPABILITY_VERSION_3, 0)
_REACH_FILES = (_Words * 2)(_Words(*[1 << _CAP_DAC_OVERRIDE] * 3), _Words())


def in_namespace() -> bool:
    """Enter a user namespace in which root has another number; files stay root's. Not allowed inside a chroot."""
    if _LIBC.unshare(_CLONE_NEWUSER) != 0:
        return False
    _write("/proc/self/setgroups", b"deny")
    _write("/proc/self/uid_map", b"%d 0 1" % NOBODY)
    _write("/proc/self/gid_map", b"%d 0 1" % NOBODY)
    return True


def as_nobody() -> bool:
    """Become nobody, and keep one power of root: to reach files in folders that are closed to others."""
    try:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        _LIBC.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    except OSError:
        return False
    # The ambient set is the one that an ordinary program keeps when it starts.
    return bool(
        _LIBC.capset(ctypes.byref(_HEADER), _REACH_FILES) == 0
        and _LIBC.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_OVERRIDE, 0, 0) == 0
    )


def _write(path: str, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, content)
    finally:
        os.close(descriptor)
