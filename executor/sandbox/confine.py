"""Confinement under the WebAssembly, for the day WasmEdge has a hole: what the kernel takes from a sandbox process.

The base process confines itself after it has booted, and what it forks inherits that: no root, own user, network,
mount, IPC and host name spaces, an empty read-only root, no capabilities, not dumpable. Its children are in a PID name
space apart, and each adds the rest: no descriptor but its socket, resource limits, and a system call filter.

A layer that the kernel refuses is reported, never passed over in silence; whether that is acceptable is the executor's
setting.
"""

import contextlib
import ctypes
import fcntl
import mmap
import os
import resource
import signal
import sys
from collections.abc import Callable
from typing import Final

from executor.sandbox.memory import PAGEMAP_SCAN
from executor.sandbox.seccomp import Filter

LAYERS: Final = (
    "unprivileged", "user_namespace", "network_namespace", "mount_namespace", "pid_namespace", "ipc_namespace",
    "empty_root", "no_capabilities", "no_new_privs", "seccomp", "rlimits", "not_dumpable", "no_writable_code",
)  # fmt: skip
"""Every layer, by the name under which it is reported."""

SERVED: Final = 3
"""Descriptor of a child's one socket."""
SPARE: Final = SERVED + 1
"""Descriptor of the memory file for its second snapshot."""
PAGEMAP: Final = SERVED + 2
"""Descriptor of its own ``/proc/self/pagemap``."""

_NOBODY: Final = 65534
_HIGH: Final = 64
_SCORE_OF_THE_BASE: Final = 500
_SCORE_OF_A_SANDBOX: Final = 1000
_HOST_BYTES: Final = 512 * 1024 * 1024
_NEW_NAMESPACE: Final = 0x00020000
_NEW_UTS: Final = 0x04000000
_NEW_IPC: Final = 0x08000000
_NEW_USER: Final = 0x10000000
_NEW_PID: Final = 0x20000000
_NEW_NETWORK: Final = 0x40000000
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_REMOUNT = 1, 2, 4, 8, 32
_MS_REC_PRIVATE: Final = 0x4000 | 1 << 18
_MNT_DETACH: Final = 2
_PR_SET_PDEATHSIG: Final = 1
_PR_SET_DUMPABLE: Final = 4
_PR_CAPBSET_DROP: Final = 24
_PR_SET_NO_NEW_PRIVS: Final = 38
_LAST_CAPABILITY: Final = 63
_PIVOT_ROOT: Final = {"x86_64": 155, "aarch64": 41}
_CAPABILITY_VERSION_3: Final = 0x20080522


class Confinement:
    """Takes things away, and keeps account of what worked (``layers``) and why the rest did not (``missing``)."""

    def __init__(self) -> None:
        self.layers: list[str] = []
        self.missing: dict[str, str] = {}
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._filter: Filter | None = None
        self._proc = -1
        self._address_space = 0
        self._code: list[tuple[int, int]] = []

    def confine_base(self) -> None:
        """In the base process, once, when it needs no more files."""
        # Its children find their own pages through this, when there is no file system any more.
        self._proc = os.open("/proc", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        self._address_space = int(self._read_own("statm").split()[0]) * mmap.PAGESIZE
        self._be_ended_before_others(_SCORE_OF_THE_BASE)
        self._try("seccomp", self._build_filter)
        if os.geteuid() == 0:
            # Root needs no user name space for the others, and may be where there are none: in a container, a chroot.
            self._leave_namespaces()
        self._try("unprivileged", self._drop_root)
        user, group = os.geteuid(), os.getegid()
        self._try("user_namespace", lambda: self._new_user_namespace(user, group))
        self._leave_namespaces()
        self._try("no_capabilities", self._drop_capabilities)
        self._try("no_new_privs", lambda: self._prctl(_PR_SET_NO_NEW_PRIVS, 1))
        self._find_writable_code()
        # So is what it forks: nobody traces a child that is not confined yet.
        self._prctl(_PR_SET_DUMPABLE, 0)
        # Every child sets these; what can fail about them has been tried above.
        self.layers += ["rlimits", "not_dumpable", "no_writable_code"]

    def close_all_but(self, descriptor: int) -> tuple[int, int]:
        """In a child, first: no descriptor but its socket, as `SERVED`.

        Returns:
            The two other things that it keeps: an empty memory file as `SPARE`, since later it can't make one, and
            ``/proc/self/pagemap`` as `PAGEMAP`; -1 if that can't be had.
        """
        kept = [descriptor, os.memfd_create("plugin")]
        # While it can't be dumped, its files in /proc are root's (proc(5)).
        self._prctl(_PR_SET_DUMPABLE, 1)
        self._be_ended_before_others(_SCORE_OF_A_SANDBOX)
        with contextlib.suppress(OSError):
            kept.append(os.open("self/pagemap", os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._proc))
        self._prctl(_PR_SET_DUMPABLE, 0)
        # By way of numbers that are in nobody's way.
        high = [fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, _HIGH) for number in kept]
        for offset, number in enumerate(high):
            os.dup2(number, SERVED + offset, inheritable=False)
        os.closerange(0, SERVED)
        os.closerange(SERVED + len(kept), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        return PAGEMAP if len(kept) > 2 else -1, SPARE

    def confine_child(self, memory_bytes: int) -> None:
        """In a child, last: everything else is taken away.

        Args:
            memory_bytes: limit of the guest's linear memory; native memory gets twice that and what the host needs.
        """
        die_with_parent()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._libc.clearenv()
        for limit, value in (
            (resource.RLIMIT_NOFILE, PAGEMAP + 1),
            (resource.RLIMIT_FSIZE, memory_bytes),
            (resource.RLIMIT_AS, self._address_space + 2 * memory_bytes + _HOST_BYTES),
            (resource.RLIMIT_NPROC, 0),
            (resource.RLIMIT_CORE, 0),
            (resource.RLIMIT_MEMLOCK, 0),
            (resource.RLIMIT_DATA, 2 * memory_bytes + _HOST_BYTES),
        ):
            hardest = resource.getrlimit(limit)[1]
            wanted = value if hardest == resource.RLIM_INFINITY else min(value, hardest)
            resource.setrlimit(limit, (wanted, wanted))
        for address, length in self._code:
            # SAFETY: trampolines of callbacks, all of them made; from now on they are only run.
            if self._libc.mprotect(ctypes.c_void_p(address), ctypes.c_size_t(length), mmap.PROT_READ | mmap.PROT_EXEC):
                raise OSError(ctypes.get_errno(), "mprotect")
        self._prctl(_PR_SET_NO_NEW_PRIVS, 1)
        if self._filter is not None:
            self._filter.install()

    def _try(self, layer: str, action: Callable[[], None]) -> None:
        """Put a layer in force, unless it is already."""
        if layer in self.layers:
            return
        try:
            action()
        except OSError as error:
            self.missing[layer] = str(error)
        else:
            self.layers.append(layer)
            self.missing.pop(layer, None)

    def _leave_namespaces(self) -> None:
        for layer, flag in (
            ("network_namespace", _NEW_NETWORK),
            ("mount_namespace", _NEW_NAMESPACE),
            ("ipc_namespace", _NEW_IPC | _NEW_UTS),
        ):
            self._try(layer, lambda flag=flag: self._unshare(flag))  # type: ignore[misc]
        if "mount_namespace" in self.layers:
            self._try("empty_root", self._enter_empty_root)
        else:
            self.missing["empty_root"] = "needs a mount name space"
        self._try("pid_namespace", self._new_pid_namespace)

    def _be_ended_before_others(self, score: int) -> None:
        """Be what the kernel ends first when memory runs out (proc_pid_oom_score_adj(5))."""
        with contextlib.suppress(OSError):
            file = os.open("self/oom_score_adj", os.O_WRONLY | os.O_CLOEXEC, dir_fd=self._proc)
            try:
                os.write(file, str(score).encode())
            finally:
                os.close(file)

    def _read_own(self, name: str) -> str:
        file = os.open(f"self/{name}", os.O_RDONLY | os.O_CLOEXEC, dir_fd=self._proc)
        with open(file, encoding="utf-8", errors="replace") as text:
            return text.read()

    def _find_writable_code(self) -> None:
        """Where memory is both writable and executable, as libffi leaves it."""
        for line in self._read_own("maps").splitlines():
            span, protection = line.split()[:2]
            if "w" in protection and "x" in protection:
                start, end = (int(number, 16) for number in span.split("-"))
                self._code.append((start, end - start))

    def _build_filter(self) -> None:
        made = Filter(PAGEMAP_SCAN, SPARE, PAGEMAP)
        # Better known now than in every child, none of which could serve.
        child = os.fork()
        if child == 0:
            try:
                self._prctl(_PR_SET_NO_NEW_PRIVS, 1)
                made.install()
            except OSError as error:
                os._exit(error.errno or 1)
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status != 0:
            reason = os.strerror(status) if status > 0 else f"signal {-status}"
            raise OSError(f"the kernel does not take the filter: {reason}")
        self._filter = made

    def _drop_root(self) -> None:
        if os.geteuid() != 0:
            return
        self._drop_bounding_set()
        os.setgroups([])
        os.setresgid(_NOBODY, _NOBODY, _NOBODY)
        os.setresuid(_NOBODY, _NOBODY, _NOBODY)
        # Changing the user makes a process undumpable, and then its /proc files are not its own; and it makes the
        # kernel forget the signal at the parent's end.
        self._prctl(_PR_SET_DUMPABLE, 1)
        die_with_parent()

    def _new_user_namespace(self, user: int, group: int) -> None:
        self._unshare(_NEW_USER)
        for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
            # Not by its path: the file system may be gone.
            file = os.open(f"self/{name}", os.O_WRONLY, dir_fd=self._proc)
            try:
                os.write(file, text.encode())
            finally:
                os.close(file)

    def _enter_empty_root(self) -> None:
        """An empty, read-only tmpfs instead of the file system (pivot_root(2), NOTES)."""
        try:
            self._mount(None, "/", None, _MS_REC_PRIVATE, None)
        except OSError:
            # In a chroot: its root is no mount that could be exchanged.
            self._enter_dead_directory()
            return
        self._mount("none", "/tmp", "tmpfs", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC, "size=4k,mode=0555")  # noqa: S108
        os.chdir("/tmp")  # noqa: S108
        number = _PIVOT_ROOT.get(os.uname().machine)
        if number is None or self._libc.syscall(number, b".", b".") != 0:
            raise OSError(ctypes.get_errno(), "pivot_root")
        if self._libc.umount2(b".", _MNT_DETACH) != 0:
            raise OSError(ctypes.get_errno(), "umount2")
        os.chdir("/")
        self._mount(None, "/", None, _MS_REMOUNT | _MS_RDONLY | _MS_NOSUID | _MS_NODEV | _MS_NOEXEC, None)

    def _enter_dead_directory(self) -> None:
        """As root a directory that is empty for ever, because the process is gone that it tells of. Getting out of a
        chroot takes a capability, or a descriptor of what is outside, and a sandbox has neither."""
        child = os.fork()
        if child == 0:
            while True:
                signal.pause()
        try:
            directory = os.open(f"{child}/fdinfo", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=self._proc)
            try:
                os.fchdir(directory)
            finally:
                os.close(directory)
            os.chroot(".")
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)

    def _new_pid_namespace(self) -> None:
        """What is forked from now on is in a new name space, whose first process does nothing but be there."""
        self._unshare(_NEW_PID)
        if os.fork() == 0:
            die_with_parent()
            self._drop_root()
            os.closerange(0, 64)
            self._drop_capabilities()
            self._prctl(_PR_SET_NO_NEW_PRIVS, 1)
            self._prctl(_PR_SET_DUMPABLE, 0)
            while True:
                signal.pause()

    def _drop_bounding_set(self) -> None:
        for capability in range(_LAST_CAPABILITY + 1):
            if self._libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) != 0:
                break  # past the last one, or there were none to begin with

    def _drop_capabilities(self) -> None:
        self._drop_bounding_set()
        header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION_3, 0)
        nothing = (ctypes.c_uint32 * 6)()
        if self._libc.capset(header, nothing) != 0:
            raise OSError(ctypes.get_errno(), "capset")

    def _unshare(self, flags: int) -> None:
        if self._libc.unshare(flags) != 0:
            raise OSError(ctypes.get_errno(), f"unshare: {os.strerror(ctypes.get_errno())}")

    def _mount(self, source: str | None, target: str, kind: str | None, flags: int, data: str | None) -> None:
        encoded = [None if text is None else text.encode() for text in (source, target, kind, data)]
        if self._libc.mount(encoded[0], encoded[1], encoded[2], ctypes.c_ulong(flags), encoded[3]) != 0:
            raise OSError(ctypes.get_errno(), f"mount {target}: {os.strerror(ctypes.get_errno())}")

    def _prctl(self, option: int, value: int) -> None:
        if self._libc.prctl(option, value, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), f"prctl({option})")


def die_with_parent() -> None:
    """Ask the kernel for SIGKILL when the parent ends, and end at once if it has ended already."""
    parent = os.getppid()
    if ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        sys.exit(1)
    if os.getppid() != parent:
        os._exit(1)
