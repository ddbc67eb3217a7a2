"""One executor's own part of a call: a fresh interpreter, a plugin run in it, its output; no NATS, no HTTP."""

import asyncio
import time
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


class Wrong(Exception):
    """What is measured does not do what it should; the message says what it did."""


class Inside:
    """A pool of sandboxes with one call after the other, each checked."""

    def __init__(self, pool: Pool, source: str) -> None:
        self._pool = pool
        self._admission = Admission(cast(Client, None), 4, 0, 0)
        self._plugin = PluginRevision("bench", revision_digest(source, Limits()), source, Limits())

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
            latencies.append(await self._call(data, expected))
            if pause_seconds:
                await asyncio.sleep(pause_seconds)
        return latencies

    async def _call(self, data: bytes, expected: bytes) -> int:
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
                deadline = asyncio.get_running_loop().time() + 10
                outcome = await execution.run(data, deadline, DeadlineExceeded("10 s"))
        if outcome.error is not None or b"".join(pieces) != expected:
            raise Wrong(f"the plugin said {b''.join(pieces)[:80]!r}: {outcome.error}")
        return (came_ns - began_ns) // 1000


async def boot(wasmedge: Path, engine: Path) -> Pool:
    """A pool with one sandbox that has booted."""
    pool = Pool(wasmedge, engine)
    await pool.use_engine(engine)
    return pool
