# ruff: noqa: E501 -- tables
"""What native code could try, as data: system calls with their arguments, and the layers that stand in the way."""

from dataclasses import dataclass
from errno import EACCES, EAGAIN, EBADF, EINVAL, ENETUNREACH, ENODEV, ENOENT, ENOSYS, EPERM, EROFS, ESRCH
from typing import Any

REFUSALS = frozenset((EPERM, EACCES, EAGAIN, ENOENT, ENOSYS, EROFS, ESRCH, ENETUNREACH, EBADF, EINVAL, ENODEV))
"""With which errors a layer other than the filter may refuse; the filter itself says EPERM."""

_HERE = -100  # AT_FDCWD


@dataclass(frozen=True)
class Try:
    """One system call. ``layers``: beside seccomp, those of which any alone must refuse it, too."""

    call: str
    arguments: tuple[Any, ...] = ()
    layers: tuple[str, ...] = ()
    what: str = ""

    @property
    def name(self) -> str:
        """For the test's id."""
        return f"{self.call} {self.what}".strip()


def _tries(layers: tuple[str, ...], **calls: tuple[Any, ...]) -> tuple[Try, ...]:
    return tuple(Try(name, arguments, layers) for name, arguments in calls.items())


_NO_FILES = ("empty_root",)
_NO_POWER = ("no_capabilities",)

FILES = (
    *(Try("openat", (_HERE, path, 0), _NO_FILES, path) for path in
      ("/etc/passwd", "/etc/shadow", "/proc/self/environ", "/proc/self/mem", "/proc/1/environ", "/proc/sys/kernel/core_pattern",
       "/dev/null", "/sys/kernel", "/tmp", "/root", "../../../etc/passwd", "/proc/self/root/etc/passwd")),
    Try("openat", (_HERE, "/", 0o20000000 | 2), _NO_FILES, "O_TMPFILE"),
    Try("openat", (_HERE, "/x", 0o100 | 1, 0o600), _NO_FILES, "create"),
    *_tries(
        _NO_FILES,
        open=("/etc/passwd", 0), openat2=(_HERE, "/etc/passwd", {"bytes": "00" * 24}, 24), creat=("/x", 0o600),
        stat=("/etc/passwd", [256]), lstat=("/etc/passwd", [256]), newfstatat=(_HERE, "/etc/passwd", [256], 0),
        statx=(_HERE, "/etc/passwd", 0, 0xFFF, [512]), access=("/etc/passwd", 4), faccessat=(_HERE, "/etc/passwd", 4),
        readlink=("/proc/self/exe", [256], 256), chdir=("/etc",), mkdir=("/x", 0o700), mkdirat=(_HERE, "/x", 0o700),
        unlink=("/etc/passwd",), rmdir=("/etc",), rename=("/etc/passwd", "/x"), link=("/etc/passwd", "/x"), symlink=("/etc", "/x"),
        truncate=("/etc/passwd", 0), chmod=("/etc/passwd", 0o777), chown=("/etc/passwd", 0, 0), utimensat=(_HERE, "/etc/passwd", None, 0),
        statfs=("/etc", [256]), getxattr=("/etc/passwd", "user.x", [16], 16),
    ),
    *_tries((), getdents64=(3, [256], 256), getcwd=([256], 256), fstat=(3, [256]), umask=(0,), sendfile=(3, 5, None, 1), fsync=(4,),
            fallocate=(4, 0, 0, 4096), read=(5, [8], 8), write=(4, {"bytes": "00"}, 1), readv=(5, None, 0), mremap=(0, 0, 0, 0),
            memfd_create=("x", 0), memfd_secret=(0,), dup=(3,), dup2=(3, 0), fcntl=(3, 1), lseek=(4, 0, 0), pipe2=([8], 0), flock=(4, 2),
            splice=(3, None, 4, None, 1, 0), copy_file_range=(4, None, 4, None, 1, 0)),
    Try("mknod", ("/x", 0o20666, 0x0103), (*_NO_FILES, *_NO_POWER)),
    Try("chroot", ("/",), _NO_POWER),
    Try("name_to_handle_at", (_HERE, "/etc/passwd", {"bytes": "80" + "00" * 140}, [4], 0), _NO_FILES),
    Try("open_by_handle_at", (3, {"bytes": "08" + "00" * 140}, 0), _NO_POWER),
)  # fmt: skip

SOCKETS = (
    *(Try("socket", (family, kind, protocol), (), what) for what, family, kind, protocol in
      (("AF_INET", 2, 1, 0), ("AF_INET datagram", 2, 2, 0), ("AF_INET6", 10, 1, 0), ("AF_UNIX", 1, 1, 0), ("AF_NETLINK", 16, 3, 0),
       ("AF_VSOCK", 40, 1, 0), ("AF_ALG", 38, 5, 0), ("AF_KEY", 15, 3, 2))),
    Try("socket", (2, 3, 1), ("no_capabilities",), "AF_INET raw"),
    Try("socket", (17, 3, 0x300), ("no_capabilities",), "AF_PACKET"),
    *_tries((), socketpair=(1, 1, 0, [8]), connect=(3, {"bytes": "0100"}, 2), bind=(3, {"bytes": "0100"}, 2), listen=(3, 1),
            accept=(3, None, None), accept4=(3, None, None, 0), sendmsg=(3, [64], 0), recvmsg=(3, [64], 0), sendmmsg=(3, [64], 1, 0),
            recvmmsg=(3, [64], 1, 0, None), getsockopt=(3, 1, 17, [16], {"bytes": "10000000"}), setsockopt=(3, 1, 6, {"bytes": "01000000"}, 4),
            getsockname=(3, [128], {"bytes": "80000000"}), getpeername=(3, [128], {"bytes": "80000000"}), shutdown=(99, 2)),
)  # fmt: skip

PROCESSES = (
    Try("execve", ("/bin/sh", None, None), _NO_FILES),
    Try("execveat", (4, "", None, None, 0x1000), (), "of the memory file"),
    *_tries(("rlimits",), fork=(), clone=(17, 0, 0, 0, 0), clone3=({"bytes": "00" * 32 + "11" + "00" * 55}, 88)),
    *_tries((), ptrace=(0, 0, 0, 0), gettid=(), getpid=(), getppid=(), getuid=(), uname=([512],), sysinfo=([128],), times=([64],), getpgid=(0,),
            setsid=(), setpgid=(0, 0), sched_setaffinity=(0, 8, {"bytes": "01" + "00" * 7}), setpriority=(0, 0, -20), ioprio_set=(1, 0, 0),
            wait4=(-1, None, 1, None), waitid=(0, 0, None, 5, None), arch_prctl=(0x1004, [8]), set_tid_address=(None,), tgkill=(1, 1, 0), tkill=(1, 0),
            rseq=(None, 0, 0, 0), membarrier=(0, 0, 0), getcpu=(None, None, None), personality=(0xFFFFFFFF,), seccomp=(2, 0, 0),
            prctl=(4, 1, 0, 0, 0), futex_wait=(None, 0, 0, 0, None, 0)),
    Try("setrlimit", (7, {"bytes": "00100000000000000010000000000000"}), _NO_POWER, "more descriptors"),
    Try("prlimit64", (0, 7, {"bytes": "00100000000000000010000000000000"}, None), _NO_POWER, "more descriptors"),
    Try("prlimit64", (0, 6, {"bytes": "ff" * 16}, None), _NO_POWER, "more processes"),
)  # fmt: skip

KERNEL = (
    *_tries(_NO_POWER, mount=("none", "/", "tmpfs", 0, None), umount2=("/", 2), pivot_root=(".", "."), setns=(3, 0), sethostname=("x", 1),
            fsopen=("tmpfs", 0), open_tree=(_HERE, "/", 1), move_mount=(_HERE, "/", _HERE, "/", 0), swapon=("/x", 0),
            reboot=(0xFEE1DEAD, 672274793, 0x89ABCDEF, None), kexec_load=(0, 0, None, 0), init_module=({"bytes": "00"}, 1, ""), finit_module=(4, "", 0),
            delete_module=("x", 0), settimeofday=([16], None), clock_settime=(0, [16]), acct=("/x",), syslog=(3, [64], 64), iopl=(3,),
            ioperm=(0, 1, 1), bpf=(0, [128], 128), fanotify_init=(0, 0), vhangup=(), setgroups=(1, {"bytes": "00000000"}), setuid=(0,), setgid=(0,),
            setresuid=(0, 0, 0), setresgid=(0, 0, 0), setreuid=(0, 0), capset=({"bytes": "2205082000000000"}, {"bytes": "ff" * 24})),
    *(Try("unshare", (flags,), (), what) for what, flags in (("user", 0x10000000), ("mount", 0x20000), ("network", 0x40000000), ("pid", 0x20000000))),
    *_tries((), quotactl=(0x80000700, "/", 0, None), setfsuid=(-1,), io_uring_setup=(8, {"bytes": "00" * 120}), io_uring_enter=(3, 0, 0, 0, None, 0), perf_event_open=([128], 0, -1, -1, 0), keyctl=(0, -3, 0, 0, 0),
            add_key=("user", "x", {"bytes": "00"}, 1, -2), request_key=("user", "x", None, -2), userfaultfd=(0,), inotify_init1=(0,), eventfd2=(0, 0), signalfd4=(-1, [8], 8, 0),
            timerfd_create=(0, 0), epoll_create1=(0,), shmget=(0, 4096, 0o1600), msgget=(0, 0o1600), semget=(0, 1, 0o1600), mq_open=("x", 0o102, 0o600, None),
            modify_ldt=(0, [16], 16), process_madvise=(3, None, 0, 0, 0), landlock_create_ruleset=(None, 0, 1), pkey_alloc=(0, 0), pkey_mprotect=(0, 0, 0, 0),
            remap_file_pages=(0, 0, 0, 0, 0), move_pages=(0, 0, None, None, None, 0), kcmp=(1, 1, 0, 0, 0), lookup_dcookie=(0, [8], 8), mlockall=(1,), mlock=(0, 4096), vmsplice=(3, None, 0, 0),
            personality=(0x0400000,), timer_create=(0, None, [8]), setitimer=(0, [32], None), alarm=(1,), getitimer=(0, [32]), cachestat=(4, None, None, 0)),
    Try("ioctl", (3, 0x541B, [8]), (), "FIONREAD of the socket"),
    Try("ioctl", (0, 0x5412, {"bytes": "78"}), (), "TIOCSTI"),
    Try("ioctl", (3, 0xC0606610, [96]), (), "PAGEMAP_SCAN of another descriptor"),
    Try("pread64", (4, [8], 8, 0), (), "of another descriptor"),
    Try("pwrite64", (5, {"bytes": "00"}, 1, 0), (), "to the page map"),
    Try("ftruncate", (5, 0), (), "of the page map"),
)  # fmt: skip

CODE = (
    Try("mmap", (0, 4096, 5, 0x22, -1, 0), (), "executable"),
    Try("mmap", (0, 4096, 7, 0x22, -1, 0), (), "writable and executable"),
    Try("mmap", (0, 4096, 5, 0x02, 4, 0), (), "of the memory file, executable"),
    Try("mmap", (0, 4096, 3, 0x21, -1, 0), (), "shared"),
    Try("mmap", (0, 4096, 3, 0x23, -1, 0), (), "shared, validated"),
    Try("mmap", (0, 4096, 3, 0x01, 4, 0), (), "of the memory file, shared"),
)  # fmt: skip

ALL = (*FILES, *SOCKETS, *PROCESSES, *KERNEL, *CODE)
