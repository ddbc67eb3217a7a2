"""Descriptors: closing, renaming, flagging and reading them changes nothing beyond the call."""

from tests.security.attacks.attack import NOTHING, Attack

ATTACKS = (
    Attack(
        "close its output", "os.close(1)\nprint('x' * 10)", error="plugin_error", says="Bad file descriptor", fit=True
    ),
    Attack(
        "close its errors and raise",
        """
        os.close(2)
        os.close(1)
        1/0
        """,
        error="plugin_error",
        says="ZeroDivisionError",
        fit=True,
    ),
    Attack("close the channel", "os.close(0)", error="plugin_error", says="Bad file descriptor", fit=True),
    Attack(
        "close everything",
        "os.closerange(0, 1024)\nplatform_sdk.send_output('still here')",
        output="still here",
        fit=True,
    ),
    Attack(
        "close the standard library",
        "os.close(3)\nimport sched",
        error=("", "plugin_error", "sandbox_violation"),
        fit=True,
    ),
    Attack(
        "read what is not there",
        "attempt(**{str(n): lambda n=n: os.read(n, 100) or 1/0 for n in range(64)})",
        output=NOTHING,
        fit=True,
    ),
    Attack(
        "positions and sizes",
        """
        attempt(**{f"{name} {n}": lambda name=name, n=n, args=args: getattr(os, name)(n, *args)
                   for n in range(8)
                   for name, args in {"lseek": (0, 0), "ftruncate": (0,), "pread": (10, 0), "pwrite": (b"x", 0),
                                      "fsync": (), "fdatasync": (), "posix_fallocate": (0, 10),
                                      "posix_fadvise": (0, 0, 0)}.items()})
        """,
        output=lambda text: all(key.endswith((" 3",)) for key in __import__("json").loads(text)),
        fit=True,
    ),
    Attack(
        "flags of the channel",
        """
        attempt(nonblocking=lambda: os.set_blocking(0, False), inheritable=lambda: os.set_inheritable(0, True),
                output=lambda: os.set_blocking(1, False))
        """,
        fit=True,
    ),
    Attack(
        "copies", "attempt(dup=lambda: os.dup(0), file=lambda: os.fdopen(os.dup(1), 'w'))", output=NOTHING, fit=True
    ),
    Attack(
        "the channel as a file",
        "with open(0, 'wb', buffering=0) as f:\n    f.write(b'')",
        error=("", "plugin_error"),
        fit=True,
    ),
    Attack(
        "the channel read as a file",
        "print(open(0, 'rb', buffering=0, closefd=False).read())",
        output="b''\n",
        fit=True,
    ),
    Attack(
        "descriptors that can't be",
        "attempt(**{str(n): lambda n=n: os.fstat(n) for n in (-1, -2**31, 2**31 - 1, 1 << 20)})",
        output=NOTHING,
        fit=True,
    ),
    Attack(
        "wait for all of them",
        "import select\nprint(select.select([0], [1, 2], [], 0))",
        error=("", "plugin_error", "sandbox_violation"),
        fit=True,
    ),
    Attack(
        "open a thousand",
        "attempt(**{str(n): lambda: os.open('/dev/null', 0) for n in range(1000)})",
        output=NOTHING,
        fit=True,
    ),
)
