"""The system calls that a sandbox process may make once it serves: an allow-list, compiled by libseccomp.

All others fail with EPERM. Built once in the base process; each child installs the finished program, which is cheap.
"""

import ctypes
import os
from typing import Final

_PR_SET_SECCOMP: Final = 22
_MODE_FILTER: Final = 2
_ALLOW: Final = 0x7FFF0000
_EPERM: Final = 0x00050000 | 1
_EQUAL: Final = 4
_MASKED_EQUAL: Final = 7
_PROT_EXEC: Final = 0x4
_MAP_SHARED: Final = 0x1

_ALWAYS: Final = (
    # Memory: Python's and WasmEdge's; mmap and mprotect are below.
    "brk", "munmap", "madvise",
    # The socket.
    "recvfrom", "sendto",
    "close",
    # Time, entropy, accounting.
    "clock_gettime", "clock_getres", "clock_nanosleep", "nanosleep", "getrandom", "getrusage",
    # What the C library does by itself, and how WasmEdge turns a fault into a trap.
    "futex", "rt_sigreturn", "rt_sigprocmask", "rt_sigaction", "sigaltstack", "restart_syscall",
    "exit", "exit_group",
)  # fmt: skip


class _Comparison(ctypes.Structure):
    _fields_ = (
        ("argument", ctypes.c_uint),
        ("operation", ctypes.c_int),
        ("first", ctypes.c_uint64),
        ("second", ctypes.c_uint64),
    )


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))


class Filter:
    """The compiled allow-list.

    Args:
        ioctl: the one request that ``ioctl`` may make.
        spare: the one descriptor that may be written as a file: the second snapshot.
        pagemap: the one that may be read as a file: which pages were written.

    Raises:
        OSError: libseccomp is not there or refuses; the message says which.
    """

    _INSTRUCTION_BYTES = 8

    def __init__(self, ioctl: int, spare: int, pagemap: int) -> None:
        try:
            library = ctypes.CDLL("libseccomp.so.2")
        except OSError:
            raise OSError("libseccomp.so.2 is not there") from None
        library.seccomp_init.restype = ctypes.c_void_p
        library.seccomp_init.argtypes = (ctypes.c_uint32,)
        library.seccomp_rule_add_array.argtypes = (
            ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint, ctypes.c_void_p,
        )  # fmt: skip
        library.seccomp_export_bpf.argtypes = (ctypes.c_void_p, ctypes.c_int)
        library.seccomp_release.argtypes = (ctypes.c_void_p,)
        context = library.seccomp_init(_EPERM)
        for name in _ALWAYS:
            self._allow(library, context, name)
        no_code = _Comparison(2, _MASKED_EQUAL, _PROT_EXEC, 0)
        self._allow(library, context, "mprotect", no_code)
        # Shared pages would count as nobody's memory, and could be another process's.
        self._allow(library, context, "mmap", no_code, _Comparison(3, _MASKED_EQUAL, _MAP_SHARED, 0))
        for name in ("pwrite64", "ftruncate"):
            self._allow(library, context, name, _Comparison(0, _EQUAL, spare, 0))
        self._allow(library, context, "pread64", _Comparison(0, _EQUAL, pagemap, 0))
        self._allow(library, context, "ioctl", _Comparison(0, _EQUAL, pagemap, 0), _Comparison(1, _EQUAL, ioctl, 0))
        file = os.memfd_create("seccomp")
        try:
            if library.seccomp_export_bpf(context, file) != 0:
                raise OSError("libseccomp does not export its program")
            code = os.pread(file, os.fstat(file).st_size, 0)
        finally:
            os.close(file)
            library.seccomp_release(context)
        self._code = ctypes.create_string_buffer(code, len(code))
        self._program = _Program(len(code) // self._INSTRUCTION_BYTES, ctypes.addressof(self._code))
        self._libc = ctypes.CDLL(None, use_errno=True)

    def install(self) -> None:
        """Put it in force for this process, for ever; ``no_new_privs`` must be set.

        Raises:
            OSError: the kernel refuses.
        """
        # SAFETY: the program and its code are alive and finished; the kernel copies and verifies them.
        if self._libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, ctypes.byref(self._program), 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_SECCOMP)")

    @staticmethod
    def _allow(library: ctypes.CDLL, context: int, name: str, *comparisons: _Comparison) -> None:
        number = library.seccomp_syscall_resolve_name(name.encode())
        if number < 0:
            return  # this architecture does not have it
        conditions = (_Comparison * max(1, len(comparisons)))(*comparisons)
        if library.seccomp_rule_add_array(context, _ALLOW, number, len(comparisons), conditions) != 0:
            raise OSError(f"libseccomp refuses the rule for {name}")
