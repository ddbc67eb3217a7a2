"""``executor``: one executor on this machine for a platform elsewhere."""

import asyncio
import contextlib
import signal

from deploy.local import thorough
from deploy.local.services import Services
from deploy.local.settings import Settings
from deploy.local.supervised import Supervised
from deploy.local.up import say

_DRAIN_SECONDS = 610.0


async def one_executor(settings: Settings, nats_url: str) -> None:
    """Run an executor against ``nats_url`` until SIGINT or SIGTERM; then it finishes its calls and leaves.

    Raises:
        StartFailed: the engine is not compiled.
    """
    thorough.check_quick(settings.places)
    is_thorough = await thorough.is_there(settings.places)
    (settings.places.state / "log").mkdir(mode=0o700, parents=True, exist_ok=True)
    asked = asyncio.Event()
    executor = Supervised(Services(settings, nats_url, "", "", "").executor(1), say)

    def stop() -> None:
        if asked.is_set():
            executor.kill()
        asked.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop)
    async with asyncio.TaskGroup() as group:
        await executor.start(group)
        say(f"An executor runs for {nats_url}; its log is {settings.places.state / 'log' / 'executor-1.log'}")
        compiling = group.create_task(_improve(settings, is_thorough))
        await asked.wait()
        say("Finishing what it runs; once more Ctrl-C kills it")
        compiling.cancel()
        await executor.stop(_DRAIN_SECONDS)
    say("Stopped")


async def _improve(settings: Settings, is_thorough: bool) -> None:
    if not is_thorough:
        with contextlib.suppress(asyncio.CancelledError):
            await thorough.compile_engine(settings.places, settings.environment, say)
