"""``python -m broker``"""

import asyncio
import logging
import os
import signal
import sys

import uvloop

from broker.http.address import Address
from broker.readers import Readers
from broker.running import running
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
    uvloop.run(run(settings))
    return 0


async def run(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, then finish what runs."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    stop = asyncio.create_task(stopping.wait())
    readers: Readers | None = None

    async def disconnected() -> None:
        if readers is not None:
            readers.interrupt()

    connecting = asyncio.create_task(
        bus.connect(settings.nats, "wasmforge-broker", on_disconnect=disconnected, on_close=stopping.set)
    )
    try:
        # NATS may be long in coming; a signal must be heard meanwhile.
        await asyncio.wait((stop, connecting), return_when=asyncio.FIRST_COMPLETED)
        if not connecting.done():
            return
        nc = await connecting
        try:
            readers = Readers(nc)
            async with running(settings, nc, readers) as service:
                servers = ", ".join(str(Address.parse(url)) for url in (*settings.ollama, *settings.openai))
                log.info("ready: models at %s, %s", servers, ", ".join(settings.catalog.names))
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
