"""A sandbox process that is ready for a call of one plugin: a warm one, or a new one that is prepared for it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from executor.content import files_of
from executor.pool import Pool
from executor.sandbox import frames
from executor.sandbox.bundle import bundle
from executor.sandboxes import Exit, Sandbox
from schemas.errors import DeadlineExceeded, OutOfMemory, PluginError, RuntimeFault, WasmForgeError
from schemas.messages import PluginRevision
from schemas.names import DRAFT

PREPARE_SECONDS = 20.0


class OneRun:
    """Listens to a run of which only the result counts: a PREPARE or a CHECK."""

    def __init__(self) -> None:
        self._done: asyncio.Future[Exit | None] = asyncio.get_running_loop().create_future()
        self.error_type = ""
        self.late = False
        """It was killed because its time was up."""
        self.text: bytes | None = None

    def on_frame(self, kind: int, payload: bytes) -> None:
        """Only the result is of interest."""
        if kind == frames.RESULT:
            error_type, _, self.text = payload.partition(b"\0")
            self.error_type = error_type.decode("utf-8", "replace")

    def on_exit(self, exit: Exit | None) -> None:
        """The run is over."""
        if not self._done.done():
            self._done.set_result(exit)

    async def of(self, sandbox: Sandbox, kind: int, files: Mapping[str, bytes], timeout_seconds: float) -> Exit | None:
        """Run it; None if the process died or the time was up, when it is killed."""
        try:
            async with asyncio.timeout(timeout_seconds):
                sandbox.call(kind, bundle(files), self)
                return await self._done
        except TimeoutError:
            self.late = True
            return None
        finally:
            if not self._done.done() or self._done.cancelled():
                sandbox.kill()


@asynccontextmanager
async def prepared(pool: Pool, plugin: PluginRevision) -> AsyncIterator[Sandbox]:
    """A process prepared for ``plugin``, for one call.

    Raises:
        BaseFailed: no process can be had.
        PluginError, OutOfMemory, DeadlineExceeded, RuntimeFault: the plugin can't be prepared.
    """
    # With the name, so that no two plugins share a process, not even if their sources are the same.
    key = f"{plugin.name} {plugin.digest}"
    sandbox = pool.lease_prepared(key)
    is_prepared = sandbox is not None
    if sandbox is None:
        sandbox = await pool.lease_new(plugin.limits.memory_bytes)
    try:
        if not is_prepared:
            await _prepare(sandbox, plugin)
            is_prepared = True
        yield sandbox
    finally:
        # However many different drafts are tried: deployed plugins stay prepared.
        pool.give_back(sandbox, key if is_prepared else None, lasting=plugin.name != DRAFT)


async def _prepare(sandbox: Sandbox, plugin: PluginRevision) -> None:
    run = OneRun()
    files = await asyncio.to_thread(files_of, plugin.source, plugin.archive) if plugin.archive else None
    exit = await run.of(sandbox, frames.PREPARE, files or files_of(plugin.source, None), PREPARE_SECONDS)
    error: WasmForgeError | None = None
    if exit is None:
        if run.late:
            error = DeadlineExceeded(f"the plugin can't be compiled within {PREPARE_SECONDS:.0f} seconds")
        elif await sandbox.killed_from_outside() or not sandbox.base.alive:
            error = RuntimeFault("the sandbox was killed from outside before the plugin ran")
        else:
            error = PluginError("the plugin's source breaks the compiler: it is too large or too deeply nested")
    elif exit.reason != frames.RETURNED or run.text is None:
        error = PluginError("the plugin's source breaks the compiler: it is too large or too deeply nested")
    elif run.error_type:
        text = run.text.decode("utf-8", "replace")
        error = OutOfMemory(text) if run.error_type == "out_of_memory" else PluginError(text)
    if error is not None:
        raise error
