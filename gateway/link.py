"""The gateway's connection to NATS: made in the background, and made anew whenever the library gives it up for good."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

import nats.errors
from nats.aio.client import Client

from schemas import bus

log = logging.getLogger(__name__)

_RETRY_SECONDS = 0.5
_CLOSE_SECONDS = 5.0


class Link:
    """Keeps one connection to NATS.

    Args:
        on_connect: called with each new connection, before it is used.
        on_lost: called each time the connection breaks; the library is then reconnecting by itself, or gone for good.
    """

    def __init__(self, url: str, on_connect: Callable[[Client], Awaitable[None]], on_lost: Callable[[], None]) -> None:
        self._url = url
        self._on_connect = on_connect
        self._on_lost = on_lost
        self._client: Client | None = None

    async def run(self) -> None:
        """Connect and stay connected until cancelled. The caller closes the connection by `close`."""
        while True:
            lost = asyncio.Event()

            async def disconnected(lost: asyncio.Event = lost) -> None:
                self._on_lost()
                lost.set()

            self._client = client = await bus.connect(self._url, "wasmforge-gateway", on_disconnect=disconnected)
            try:
                await self._on_connect(client)
            except (nats.errors.Error, OSError, TimeoutError) as error:
                log.warning("NATS: could not set up the connection: %s", error or type(error).__name__)
                await self.close()
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            log.info("NATS: connected")
            # The library reconnects by itself except after an error that the server sends; then it closes.
            while not client.is_closed:
                await lost.wait()
                lost.clear()
            log.warning("NATS: the connection was closed by the server (%s), connecting anew", client.last_error)
            await asyncio.sleep(_RETRY_SECONDS)

    async def close(self) -> None:
        """Send what is still to be sent, then close."""
        client, self._client = self._client, None
        if client is None or client.is_closed:
            return
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                if client.is_connected:
                    await client.flush()
                await client.close()
        except (nats.errors.Error, OSError, TimeoutError) as error:
            log.warning("NATS: not closed properly: %s", error or type(error).__name__)
