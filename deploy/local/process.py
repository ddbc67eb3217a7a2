"""A child process that ends with its parent, writes its own log, and is stopped within a deadline."""

import asyncio
import contextlib
import ctypes
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_LEAST_PRIORITY = 19
NO_IDENTITY = 97
"""Exit status of a child that could not become who it should be."""
# Loaded before any fork: a child may not take the loader's lock.
_LIBC = ctypes.CDLL(None, use_errno=True)


class StartFailed(Exception):
    """A service did not start; the text is one sentence that says what to do."""


@dataclass(frozen=True)
class Command:
    """What to run, with which environment, and where its output goes."""

    argv: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    death_signal: signal.Signals = signal.SIGTERM
    """Sent by the kernel when the supervisor dies, however it dies."""
    stop_signal: signal.Signals = signal.SIGTERM
    identity: Callable[[], bool] | None = None
    """Called in the child before the program starts, to become somebody else; see `deploy.local.identity`."""
    directory: Path | None = None
    stdin: bytes = b""
    background: bool = False
    """Run only when nobody else wants the processor."""


class Child:
    """A running process, the leader of its own group."""

    def __init__(self, command: Command, process: asyncio.subprocess.Process) -> None:
        self._command = command
        self._process = process

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """None while it runs; negative: the signal that ended it."""
        return self._process.returncode

    async def wait(self) -> int:
        """Wait for its end; its exit status, negative for a signal."""
        returncode = await self._process.wait()
        # What it started itself ends with it, whatever ended it.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        return returncode

    def kill_now(self) -> None:
        """Kill its whole group without waiting for its end."""
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)

    def send(self, number: signal.Signals) -> None:
        """Send it a signal; one that is gone is left alone."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    async def stop(self, deadline_seconds: float) -> int:
        """Ask it to stop, kill its whole group after the deadline; its exit status."""
        self.send(self._command.stop_signal)
        try:
            async with asyncio.timeout(deadline_seconds):
                return await self.wait()
        except TimeoutError:
            return await self.kill()

    async def kill(self) -> int:
        """Kill its whole group at once; its exit status."""
        self.kill_now()
        return await self.wait()


async def spawn(command: Command) -> Child:
    """Start a process with its output appended to its log.

    Raises:
        StartFailed: the program is not there or can't be run.
    """
    command.log.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(command.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    stdin = os.memfd_create("stdin")
    try:
        os.write(stdin, command.stdin)
        os.lseek(stdin, 0, os.SEEK_SET)
        process = await asyncio.create_subprocess_exec(
            *command.argv,
            stdin=stdin,
            stdout=descriptor,
            stderr=descriptor,
            env=dict(command.environment),
            cwd=command.directory,
            start_new_session=True,
            preexec_fn=_in_child(command),
        )
    except OSError as error:
        raise StartFailed(f"{command.argv[0]} can't be started: {error.strerror}") from error
    finally:
        os.close(descriptor)
        os.close(stdin)
    return Child(command, process)


def tail(log: Path, lines: int = 5) -> str:
    """The last lines of a log, for a message."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 4096))
            return "\n".join(file.read().decode("utf-8", "replace").splitlines()[-lines:])
    except OSError:
        return ""


def _in_child(command: Command) -> Callable[[], None]:
    parent = os.getpid()

    def prepare() -> None:
        # Between fork and exec of a process that may have threads: system calls only, nothing that takes a lock.
        if command.background:
            os.nice(_LEAST_PRIORITY)
            os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
        if command.identity is not None and not command.identity():
            os._exit(NO_IDENTITY)
        # After a change of identity, which clears it.
        _LIBC.prctl(_PR_SET_PDEATHSIG, int(command.death_signal), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return prepare
