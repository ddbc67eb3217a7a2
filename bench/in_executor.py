"""One executor's own part of a call: a fresh interpreter, a plugin run in it, its output; no NATS, no HTTP."""

import asyncio
import time
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from nats.aio.client import Client

from executor.admission import Admission
from executor.ai import AICalls
from executor.asking import Asking
from executor.execution import Execution, Watcher
from executor.pool import Pool
from executor.prepared import prepared
from schemas.digest import revision_digest
from schemas.errors import DeadlineExceeded
from schemas.limits import Limits
from schemas.messages import PluginRevision

_SECONDS = 60.0


class Wrong(Exception):
    """What is measured does not do what it should; the message says what it did."""


@dataclass(frozen=True)
class Called:
    """What one call took."""

    latency_us: int
    """From asking for a sandbox to the plugin's output."""
    restore_us: int
    """What restoring took before it, after the call before it."""
    output: bytes
    pid: int
    """Of its sandbox process."""


class Inside:
    """A pool of sandboxes with calls of one plugin, each checked."""

    def __init__(self, pool: Pool, source: str, name: str = "bench", slots: int = 16) -> None:
        self._pool = pool
        self._admission = Admission(cast(Client, None), slots, 0, 0)
        self._plugin = PluginRevision(name, revision_digest(source, Limits()), source, Limits())

    async def for_seconds(self, seconds: float, data: bytes, expected: bytes, pause_seconds: float) -> list[int]:
        """Calls one after the other; microseconds from asking for a sandbox to the plugin's output, each.

        Args:
            pause_seconds: how long an executor has nothing to do between two calls; 0: the next call waits while the
                sandbox is restored.

        Raises:
            Wrong: a call failed.
        """
        latencies: list[int] = []
        until = time.perf_counter() + seconds
        while time.perf_counter() < until:
            latencies.append((await self.call(data, expected)).latency_us)
            if pause_seconds:
                await asyncio.sleep(pause_seconds)
        return latencies

    async def call(self, data: bytes, expected: bytes | None) -> Called:
        """One call; ``expected``: None if any output will do.

        Raises:
            Wrong: it failed.
        """
        came_ns = 0
        pieces: list[bytes] = []

        def on_output(piece: bytes) -> None:
            nonlocal came_ns
            came_ns = time.perf_counter_ns()
            pieces.append(piece)

        began_ns = time.perf_counter_ns()
        with self._admission.wait() as place:
            await place.take_slot()
            async with prepared(self._pool, self._plugin) as sandbox:
                # The plugin asks for no model, so there is nobody to ask.
                ai = AICalls(cast(Asking, None), 0, {})
                execution = Execution(sandbox, self._plugin, ai, place, Watcher(on_output, lambda _: None))
                deadline = asyncio.get_running_loop().time() + _SECONDS
                outcome = await execution.run(data, deadline, DeadlineExceeded(f"{_SECONDS:g} s"))
        output = b"".join(pieces)
        if outcome.error is not None or expected not in (None, output):
            raise Wrong(f"the plugin said {output[:80]!r}: {outcome.error}")
        return Called((came_ns - began_ns) // 1000, outcome.restore_us, output, sandbox.pid)


async def boot(wasmedge: Path, engine: Path) -> Pool:
    """A pool with one sandbox that has booted."""
    pool = Pool(wasmedge, engine)
    await pool.use_engine(engine)
    return pool
