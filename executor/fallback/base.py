"""The executor's side of the fallback: an ordinary Python process for each call, with no isolation."""

import contextlib
import select
import socket
import subprocess
import sys
from pathlib import Path

from executor.backend import BaseFailed, Confinement
from executor.settings import interpreter_module

WARNING = (
    "PLUGINS RUN WITHOUT A SANDBOX (WASMFORGE_SANDBOX=insecure-subprocess): whatever a plugin does, it does as this "
    "user, with this user's files, network and processes. This is for trying plugins of your own, and for nothing else"
)
_START = (
    "import sys; sys.path.insert(0, sys.argv[1]); from executor.fallback.guest import main; "
    "main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))"
)
_REASON = {"webassembly": WARNING}
_END_SECONDS = 5.0


class Subprocess:
    """A process that serves one plugin for one call. Its parent is this process, so its id can't be another's."""

    def __init__(self, process: subprocess.Popen[bytes], connection: socket.socket) -> None:
        self.connection = connection
        self._process = process
        self._ended = False

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def alive(self) -> bool:
        """Whether it runs, asked of the kernel."""
        return not self._ended and self._process.poll() is None

    def end(self) -> None:
        """SIGKILL; nothing if it has been ended."""
        if not self._ended:
            self._ended = True
            self._process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_END_SECONDS)  # a moment, since nothing can hold up this signal


class SubprocessBase:
    """Starts such processes; see `executor.backend.Base`."""

    def __init__(self, engine: Path) -> None:
        self.engine = engine
        self.birth = None
        self.confinement = Confinement(missing=_REASON)
        self.alive = True
        self._started: list[Subprocess] = []

    @classmethod
    async def boot(cls, _wasmedge: Path, engine: Path) -> "SubprocessBase":
        """Nothing has to be booted. ``engine``: the Python that plugins run on."""
        return cls(engine)

    async def fork(self, memory_bytes: int) -> Subprocess:
        """A new process.

        Raises:
            BaseFailed: it can't be started.
        """
        self._started = [process for process in self._started if process.alive()]
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        project = str(interpreter_module())
        try:
            # -I and -S: nothing of the environment, no packages of this one.
            process = subprocess.Popen(  # noqa: ASYNC220  # takes milliseconds, and this is for development
                [str(self.engine), "-I", "-S", "-B", "-c", _START, project, str(theirs.fileno()), str(memory_bytes)],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),), env={}, cwd="/", start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            ours.close()
            raise BaseFailed(f"a process for a plugin can't be started: {error}") from None
        finally:
            theirs.close()
        started = Subprocess(process, ours)
        self._started.append(started)
        return started

    async def was_killed(self, pid: int) -> bool:
        """See `executor.backend.Base`: it can't be known here, where every process is killed at its end."""
        return False

    async def close(self) -> None:
        """End every process and wait for that."""
        self.alive = False
        for process in self._started:
            process.end()


def interpreter() -> Path:
    """The Python that plugins run on.

    Raises:
        BaseFailed: this system can't run them.
    """
    if not hasattr(socket, "AF_UNIX") or not hasattr(select, "select") or sys.platform == "win32":
        raise BaseFailed("plugins need a POSIX system, also without a sandbox: use Linux, macOS, or WSL 2 on Windows")
    return Path(sys.executable)
