"""A base process: one booted interpreter, from which sandbox processes are forked in one or two milliseconds."""

import asyncio
import contextlib
import json
import logging
import os
import resource
import select
import signal
import socket
from dataclasses import dataclass
from pathlib import Path

from executor.backend import BaseFailed, Confinement
from executor.engine.launch import NoWasmEdge, launcher
from executor.sandbox import frames
from executor.sandbox.frames import PAGE_BYTES, STATUS_OF
from executor.sandbox.world import Start
from executor.settings import interpreter_module
from executor.spare import Spare
from schemas.limits import Limits

log = logging.getLogger(__name__)

_BOOT_SECONDS = 30.0
_FORK_SECONDS = 5.0
_SPARE_MEMORY_BYTES = Limits().memory_bytes
"""What most plugins have; the limit is set in the new process, before anything runs there."""
_NATIVE_STACK_BYTES = 64 * 1024 * 1024
_START = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); from executor.sandbox.host import main; "
    "main(sys.argv[1], sys.argv[2])"
)
_SDK = interpreter_module() / "sdk" / "platform_sdk.py"


@dataclass
class Forked:
    """A new sandbox process: its id, a descriptor that names it without doubt, and our end of its socket."""

    pid: int
    pidfd: int
    connection: socket.socket
    _ended: bool = False

    def alive(self) -> bool:
        """Whether it runs, asked of the kernel."""
        if self._ended:
            return False
        end = select.poll()
        end.register(self.pidfd, select.POLLIN)
        return not end.poll(0)

    def end(self) -> None:
        """SIGKILL; nothing if it has been ended."""
        if not self._ended:
            self._ended = True
            kill_process(self.pidfd)
            os.close(self.pidfd)


class BaseProcess:
    """Owner of a base process. Use `boot`, then `fork` as often as needed; `close` ends it and all it forked."""

    def __init__(self, process: asyncio.subprocess.Process, control: socket.socket, engine: Path, birth: Start) -> None:
        self.engine = engine
        self.birth = birth
        self.confinement = Confinement()
        self._process = process
        self._control = control
        self._lock = asyncio.Lock()
        self._spare = Spare(self._make_spare)

    @classmethod
    async def boot(cls, wasmedge: Path, engine: Path, birth: Start | None = None) -> "BaseProcess":
        """Start a base process and wait until its interpreter is ready (about 0.7 s).

        Args:
            birth: time and chance while it boots; None: nobody else's. Interpreters with the same one are the same.

        Raises:
            BaseFailed: it did not boot within its time; the message holds what it said.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        try:
            process = await asyncio.create_subprocess_exec(
                *launcher(wasmedge), "-I", "-S", "-B", "-c", _START,
                str(interpreter_module()), str(engine), str(_SDK),
                stdin=theirs.fileno(), stdout=asyncio.subprocess.DEVNULL, env={}, start_new_session=True,
                preexec_fn=_more_stack,
            )  # fmt: skip
        except (OSError, NoWasmEdge) as error:
            ours.close()
            raise BaseFailed(f"the sandbox process can't be started: {error}") from None
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        base = cls(process, ours, engine, birth or Start.now())
        try:
            ours.send(base.birth.pack())
            async with asyncio.timeout(_BOOT_SECONDS):
                said = (await asyncio.get_running_loop().sock_recv(ours, 65536)).decode("utf-8", "replace")
        except (TimeoutError, OSError) as error:
            said = f"no word within {_BOOT_SECONDS:.0f} s ({error or type(error).__name__})"
        except BaseException:
            await base.close()
            raise
        try:
            base.confinement = _confinement(said)
        except BaseFailed:
            await base.close()
            raise
        base._spare.make_soon()
        return base

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.returncode is None

    async def fork(self, memory_bytes: int) -> Forked:
        """A new sandbox process.

        Args:
            memory_bytes: limit of its linear memory, which grows by whole pages of 64 KiB.

        Raises:
            BaseFailed: the base process is gone or does not answer.
        """
        if memory_bytes == _SPARE_MEMORY_BYTES and (spare := self._spare.take()) is not None:
            return spare
        return await self._fork(memory_bytes)

    async def _fork(self, memory_bytes: int) -> Forked:
        # An exchange that has begun is finished even if nobody waits for it any more: the next one would read its
        # answer, and hold the pidfd of another process than it talks to.
        exchange = asyncio.create_task(self._exchange(memory_bytes // PAGE_BYTES))
        try:
            return await asyncio.shield(exchange)
        except asyncio.CancelledError:
            exchange.add_done_callback(_discard)
            raise

    async def _make_spare(self) -> Forked:
        spare = await self._fork(_SPARE_MEMORY_BYTES)
        warm = frames.pack(frames.WARM)
        try:
            spare.connection.send(warm)
            async with asyncio.timeout(_FORK_SECONDS):
                if await asyncio.get_running_loop().sock_recv(spare.connection, len(warm)) == warm:
                    return spare
            raise BaseFailed("the new process ended while it warmed up")
        except BaseException as error:
            spare.connection.close()
            spare.end()
            if isinstance(error, OSError):  # a timeout is one too
                raise BaseFailed(f"the new process does not warm up: {error or type(error).__name__}") from None
            raise

    async def _exchange(self, memory_pages: int) -> Forked:
        async with self._lock:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
            ours.setblocking(False)
            try:
                socket.send_fds(self._control, [str(memory_pages).encode()], [theirs.fileno()])
                message, pidfd = await self._answer()
                if pidfd is None:
                    raise BaseFailed("the new process ended at once")
                pid = int(message)
            except (OSError, ValueError, TimeoutError, BaseFailed) as error:
                ours.close()
                self.kill()  # out of step: nothing it says later could be trusted
                raise BaseFailed(f"the base process does not fork: {error or type(error).__name__}") from None
            finally:
                theirs.close()
            return Forked(pid, pidfd, ours)

    async def was_killed(self, pid: int) -> bool:
        """Whether a process that was forked here, and is gone, ended by SIGKILL. False if that can't be known."""
        question = asyncio.create_task(self._ask_status(pid))
        return await asyncio.shield(question) == -signal.SIGKILL

    async def _ask_status(self, pid: int) -> int | None:
        async with self._lock:
            try:
                self._control.send(b"%s%d" % (STATUS_OF, pid))
                message, _ = await self._answer()
                return int(message) if message.lstrip(b"-").isdigit() else None
            except (OSError, ValueError, TimeoutError, BaseFailed):
                self.kill()
                await self._process.wait()
                return None

    async def _answer(self) -> tuple[bytes, int | None]:
        """One message, and the descriptor that came with it."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[tuple[bytes, int | None]] = loop.create_future()

        def readable() -> None:
            loop.remove_reader(self._control)
            if answer.done():
                return
            try:
                message, descriptors, _, _ = socket.recv_fds(self._control, 32, 1)
                if not message:
                    raise BaseFailed("it is gone")
                answer.set_result((message, descriptors[0] if descriptors else None))
            except (OSError, BaseFailed) as error:
                answer.set_exception(error)

        loop.add_reader(self._control, readable)
        try:
            async with asyncio.timeout(_FORK_SECONDS):
                return await answer
        finally:
            loop.remove_reader(self._control)

    def kill(self) -> None:
        """End the process and, through the kernel, all it forked, at once."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()

    async def close(self) -> None:
        """End the process and wait for that."""
        await self._spare.close()
        self._control.close()
        self.kill()
        await self._process.wait()


def _discard(exchange: asyncio.Task[Forked]) -> None:
    """End a new process that nobody waits for any more."""
    if exchange.cancelled() or exchange.exception() is not None:
        return
    forked = exchange.result()
    forked.connection.close()
    forked.end()


def _confinement(said: str) -> Confinement:
    """Out of a base process's first word.

    Raises:
        BaseFailed: it says that it failed, or nothing that can be read.
    """
    try:
        word = json.loads(said)
        if "failed" in word:
            raise BaseFailed(f"the sandbox did not boot: {word['failed']}")
        return Confinement(tuple(word["layers"]), dict(word["missing"]))
    except (ValueError, KeyError, TypeError):
        raise BaseFailed(f"the sandbox did not boot: {said or 'it ended without a word'}") from None


def kill_process(pidfd: int) -> None:
    """SIGKILL to the process that ``pidfd`` names, which may be gone already."""
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)


def _more_stack() -> None:
    # Compiled WebAssembly runs on the native stack; its own limits must be met before that one ends.

    _, most = resource.getrlimit(resource.RLIMIT_STACK)
    wanted = _NATIVE_STACK_BYTES if most == resource.RLIM_INFINITY else min(most, _NATIVE_STACK_BYTES)
    resource.setrlimit(resource.RLIMIT_STACK, (wanted, most))
