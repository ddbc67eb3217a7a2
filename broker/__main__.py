"""``python -m broker``"""

import asyncio
import logging
import os
import signal
import sys

import uvloop

from broker.admission import Admission
from broker.availability import watched
from broker.ollama import connected
from broker.service import Broker
from broker.settings import Settings
from schemas import bus
from schemas.errors import InvalidInput

log = logging.getLogger("broker")


def main() -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code."""
    try:
        settings = Settings.read(os.environ)
    except InvalidInput as error:
        print(f"ERROR broker: {error}", file=sys.stderr)
        return 2
    logging.basicConfig(stream=sys.stderr, level=settings.log_level, format="%(levelname)s broker: %(message)s")
    for chatty in ("httpx", "httpcore"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    uvloop.run(run(settings))
    return 0


async def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, then finish what runs."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    stop = asyncio.create_task(stopping.wait())
    connecting = asyncio.create_task(bus.connect(settings.nats, "wasmforge-broker", on_close=stopping.set))
    try:
        # NATS may be long in coming; a signal must be heard meanwhile.
        await asyncio.wait((stop, connecting), return_when=asyncio.FIRST_COMPLETED)
        if not connecting.done():
            return
        nc = await connecting
        try:
            # One connection more than there are calls, so that the list of models never waits for a generation.
            async with connected(settings.ollama, settings.parallel + 1) as ollama, watched(ollama) as availability:
                admission = Admission(settings.parallel, settings.queued)
                service = Broker(settings, ollama, availability, admission).service(nc)
                await service.start()
                log.info("ready: models at %s, %s", ollama.url, ", ".join(settings.catalog.names))
                await stop
                log.info("stopping")
                await service.drain(settings.stop_seconds)
        finally:
            await nc.close()
    finally:
        for task in (stop, connecting):
            task.cancel()
        await asyncio.wait((stop, connecting))
    log.info("stopped")


if __name__ == "__main__":
    sys.exit(main())
