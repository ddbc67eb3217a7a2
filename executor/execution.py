"""One execution: a task in a sandbox from its start to its outcome, within the plugin's limits."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from executor.admission import Place
from executor.ai import AICalls
from executor.sandbox import frames
from executor.sandboxes import Exit, Sandbox
from schemas.ai import AIUse
from schemas.errors import (
    AIFailure,
    DeadlineExceeded,
    ErrorType,
    OutOfMemory,
    OutputTooLarge,
    PluginError,
    RuntimeFault,
    SandboxViolation,
    WasmForgeError,
    from_wire,
)
from schemas.messages import PluginRevision

_STDOUT = 1
_CPU_STEP_SECONDS = 0.01
_MAX_REQUESTS = 2_000
"""How often a plugin may ask the platform for something; what is over its limits has been refused long before."""
_MAX_REQUESTED_BYTES = 64 * 1024 * 1024
_MAX_RESULTS = 100
_MAX_RESULT_BYTES = 256 * 1024
"""A result is written by the guest's own side of the platform, once a call, and is never this long; a plugin that
writes its own costs this process no more than this."""
_ERRORS_OF_A_PLUGIN: dict[str, type[WasmForgeError]] = {
    "plugin_error": PluginError,
    "sandbox_violation": SandboxViolation,
    "out_of_memory": OutOfMemory,
}


@dataclass
class Outcome:
    """What an execution came to; times in microseconds."""

    output: bytes = b""
    error: WasmForgeError | None = None
    log: bytes = b""
    restore_us: int = 0
    run_us: int = 0
    cpu_us: int = 0
    peak_memory_bytes: int = 0
    ai_calls: int = 0
    ai_wait_us: int = 0
    ai: AIUse = field(default_factory=AIUse)


@dataclass(frozen=True)
class Watcher:
    """Who wants output and log as they come: called with each piece, never blocking."""

    on_output: Callable[[bytes], None]
    on_log: Callable[[bytes], None]


@dataclass
class _Text:
    """Bytes up to a limit; what is over is counted, not kept."""

    limit: int
    data: bytearray = field(default_factory=bytearray)
    dropped: int = 0

    def add(self, data: bytes) -> bytes:
        """Keep what fits; returns that part."""
        part = data[: max(0, self.limit - len(self.data))]
        self.data += part
        self.dropped += len(data) - len(part)
        return part


class Execution:
    """Runs one plugin revision once.

    Args:
        sandbox: prepared for the plugin and leased for this execution; it is killed when a limit says so.
        place: gives up its slot while the plugin waits for a model.
        watcher: hears of output and log as they come.
    """

    def __init__(
        self, sandbox: Sandbox, plugin: PluginRevision, ai: AICalls, place: Place, watcher: Watcher | None = None
    ) -> None:
        self._sandbox = sandbox
        self._plugin = plugin
        self._ai = ai
        self._place = place
        self._watcher = watcher
        self._output: bytearray | None = None
        self._printed = _Text(plugin.limits.output_bytes + 1)
        self._log = _Text(plugin.limits.log_bytes)
        self._result: bytes | None = None
        self._results = 0
        self._requested_bytes = 0
        self._killed_for: WasmForgeError | None = None
        self._asking: asyncio.Task[None] | None = None
        self._requests = 0
        self._deadline = 0.0
        self._cpu_timer: asyncio.TimerHandle | None = None
        self._done: asyncio.Future[Exit | None] = asyncio.get_running_loop().create_future()

    async def run(self, data: bytes, deadline: float, late: DeadlineExceeded) -> Outcome:
        """Run until the plugin ends or ``deadline`` (loop time), when it is killed and ``late`` is the error."""
        self._deadline = deadline
        loop = asyncio.get_running_loop()
        timer = loop.call_at(deadline, self._kill, late)
        self._watch_cpu(self._sandbox.cpu_seconds() or 0.0)
        # As much as may become the output, if the plugin only prints, or the log.
        printed = max(self._printed.limit, self._log.limit + 1)
        try:
            header = frames.TASK_HEADER.pack(printed, self._watcher is not None, *self._ai.on_tape)
            self._sandbox.call(frames.TASK, (header, data), self)
            exit = await self._done
            if exit is None and self._killed_for is None:
                self._killed_for = await self._why_gone()
            return self._outcome(exit)
        finally:
            timer.cancel()
            if self._cpu_timer is not None:
                self._cpu_timer.cancel()
            if self._asking is not None:
                # What it waits for is given up by the time this is over.
                self._asking.cancel()
                await asyncio.wait((self._asking,))
            if not self._done.done() or self._done.cancelled():
                self._sandbox.kill()  # whoever waited for this has gone

    def on_frame(self, kind: int, payload: bytes) -> None:
        """A frame of the sandbox, which may be anything."""
        if kind in (frames.OUTPUT, frames.CHUNK):
            self._on_output(payload, goes_on=kind == frames.CHUNK)
        elif kind == frames.LOG and payload:
            self._on_log(payload[0], payload[1:])
        elif kind == frames.REQUEST:
            if self._asking is not None and not self._asking.done():
                self._kill(SandboxViolation("the plugin asked again before the platform had answered"))
                return
            self._requests += 1
            self._requested_bytes += len(payload)
            if self._requested_bytes > _MAX_REQUESTED_BYTES:
                self._kill(SandboxViolation(f"the plugin's requests are over {_MAX_REQUESTED_BYTES:,} bytes together"))
                return
            # As many as the model makes pieces of a stream may be asked for.
            if self._requests - self._ai.pieces > _MAX_REQUESTS:
                self._kill(SandboxViolation(f"the plugin asked the platform for something {_MAX_REQUESTS:,} times"))
                return
            self._asking = asyncio.create_task(self._answer(payload))
        elif kind == frames.RESULT:
            self._results += 1
            if self._results > _MAX_RESULTS or len(payload) > _MAX_RESULT_BYTES:
                self._kill(SandboxViolation("the plugin wrote results of its own into the platform's channel"))
                return
            self._result = payload
        else:
            self._kill(RuntimeFault(f"the sandbox sent an unknown frame ({kind})"))

    def on_exit(self, exit: Exit | None) -> None:
        """The sandbox's last word."""
        if not self._done.done():
            self._done.set_result(exit)

    def _watch_cpu(self, cpu_at_start: float) -> None:
        """Look at the CPU time when it can have reached the limit at the earliest; kill, or look again then."""
        limit = self._plugin.limits.cpu_ms / 1000
        used = (self._sandbox.cpu_seconds() or cpu_at_start) - cpu_at_start
        if used >= limit:
            self._kill(DeadlineExceeded(f"the plugin used its {limit * 1000:,.0f} ms of CPU time and was ended"))
        elif not self._done.done():
            # One thread can't use CPU time faster than time passes.
            again = max(limit - used, _CPU_STEP_SECONDS)
            self._cpu_timer = asyncio.get_running_loop().call_later(again, self._watch_cpu, cpu_at_start)

    async def _answer(self, payload: bytes) -> None:
        self._sandbox.reply(await self._ai.answer(payload, self._deadline, self._place.outside))

    def _on_output(self, piece: bytes, *, goes_on: bool) -> None:
        """A piece of output: on a line of its own, or going on where the last one ended."""
        if self._output is None:
            self._output = bytearray()
        elif not goes_on:
            piece = b"\n" + piece
        if len(self._output) + len(piece) > self._plugin.limits.output_bytes:
            self._kill(self._too_much_output())
            return
        if self._watcher is not None:
            self._watcher.on_output(piece)
        self._output += piece

    def _on_log(self, descriptor: int, data: bytes) -> None:
        if descriptor == _STDOUT:
            self._printed.add(data)
        kept = self._log.add(data)
        if kept and self._watcher is not None:
            self._watcher.on_log(kept)

    def end(self, reason: WasmForgeError) -> None:
        """End it now, for this reason, if it has not ended."""
        self._kill(reason)

    def _kill(self, reason: WasmForgeError) -> None:
        if self._killed_for is None and not self._done.done():
            self._killed_for = reason
            self._sandbox.kill()

    def _too_much_output(self) -> OutputTooLarge:
        return OutputTooLarge(f"the plugin's output is over its limit of {self._plugin.limits.output_bytes:,} bytes")

    def _outcome(self, exit: Exit | None) -> Outcome:
        outcome = Outcome(ai_calls=min(self._ai.calls, self._plugin.limits.ai_calls), ai_wait_us=self._ai.waited_us)
        outcome.log = bytes(self._log.data)
        if self._log.dropped:
            outcome.log += b"\n... %d more bytes were printed, over the limit of the log\n" % self._log.dropped
        if exit is not None:
            outcome.restore_us, outcome.run_us, outcome.cpu_us = exit.restore_us, exit.run_us, exit.cpu_us
            outcome.peak_memory_bytes = exit.memory_bytes
        outcome.error = self._killed_for or self._error(exit)
        outcome.ai = self._ai.use.total()
        failure = self._ai.last_failure
        if isinstance(outcome.error, AIFailure) and failure is not None and failure.code == outcome.error.code:
            outcome.error.retry_after_ms = failure.retry_after_ms
            outcome.error.retry_after_seconds = failure.retry_after_seconds
        if self._output is not None:
            outcome.output = bytes(self._output)
        elif outcome.error is None:
            if len(self._printed.data) > self._plugin.limits.output_bytes:
                outcome.error = self._too_much_output()
            else:
                outcome.output = bytes(self._printed.data)
                if outcome.output and self._watcher is not None:
                    self._watcher.on_output(outcome.output)
        return outcome

    async def _why_gone(self) -> WasmForgeError:
        killed = await self._sandbox.killed_from_outside()
        if not self._sandbox.base.alive:
            return RuntimeFault("the sandbox died with the process it came from; nothing of the call was kept")
        if killed:
            return RuntimeFault(
                "the sandbox process was killed from outside, by the kernel perhaps because this machine has no more "
                "memory (its log says so); nothing of the call was kept"
            )
        return PluginError(
            "the sandbox process died: the plugin broke its interpreter, by too deep a recursion perhaps"
        )

    def _error(self, exit: Exit | None) -> WasmForgeError | None:
        if exit is None:
            return None  # said already
        if exit.reason == frames.EXITED:
            if exit.code == 0:
                return None
            return PluginError(f"the plugin ended its interpreter with exit status {exit.code}")
        broke = exit.reason == frames.TRAPPED or self._result is None
        if broke and exit.memory_bytes + frames.PAGE_BYTES > self._plugin.limits.memory_bytes:
            return OutOfMemory(
                f"the plugin used all of its {self._plugin.limits.memory_bytes:,} bytes of memory; not even a "
                "traceback fitted any more"
            )
        if broke or self._result is None:
            return PluginError(
                f"the plugin broke its interpreter (WebAssembly trap {exit.code:#x}), by too deep a recursion perhaps"
            )
        kind, _, message = self._result.partition(b"\0")
        error_type, text = kind.decode("utf-8", "replace"), message.decode("utf-8", "replace")
        if not error_type:
            return None
        if error_type.startswith("ai_error:"):
            return from_wire(ErrorType.AI_ERROR, text, error_type.partition(":")[2])
        return _ERRORS_OF_A_PLUGIN.get(error_type, PluginError)(text)
