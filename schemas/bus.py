"""The connection to NATS, made the same way by every service."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from nats.aio.client import PING_PROTO, Client

log = logging.getLogger(__name__)

_RECONNECT_WAIT_SECONDS = 0.2
_PING_INTERVAL_SECONDS = 10


class _OrderedClient(Client):
    """The library's client, with a PING that takes its turn.

    The library's own overtakes what still waits to be sent, so that the PONG proves nothing of it: `flush` returns
    before a message has left, and a subscription that is drained loses what the server sends until it knows of that.
    """

    async def _send_ping(self, future: asyncio.Future[bool] | None = None) -> None:
        self._pongs.append(asyncio.get_running_loop().create_future() if future is None else future)
        await self._send_command(PING_PROTO)
        await self._flush_pending()


async def connect(
    url: str,
    name: str,
    *,
    on_disconnect: Callable[[], Awaitable[None]] | None = None,
    on_reconnect: Callable[[], Awaitable[None]] | None = None,
    on_close: Callable[[], None] | None = None,
) -> Client:
    """Connect to NATS at ``url`` and stay connected; waits for a server that is not there yet.

    Args:
        url: ``nats://host:port``, several separated by commas for a cluster.
        name: how the server lists this connection.
        on_disconnect: called each time the connection is lost.
        on_reconnect: called each time it is back, subscriptions restored.
        on_close: called when the connection is closed for good, by us or by an error that the server sent.
    """

    async def on_error(error: Exception) -> None:
        log.warning("NATS: %s", error or type(error).__name__)

    async def disconnected() -> None:
        log.warning("NATS: connection lost")
        if on_disconnect is not None:
            await on_disconnect()

    async def reconnected() -> None:
        log.info("NATS: connected again")
        if on_reconnect is not None:
            await on_reconnect()

    async def closed() -> None:
        if on_close is not None:
            on_close()

    client = _OrderedClient()
    await client.connect(
        [part.strip() for part in url.split(",")],
        name=name,
        error_cb=on_error,
        disconnected_cb=disconnected,
        reconnected_cb=reconnected,
        closed_cb=closed,
        allow_reconnect=True,
        max_reconnect_attempts=-1,
        reconnect_time_wait=_RECONNECT_WAIT_SECONDS,  # type: ignore[arg-type]  # it may be a fraction
        connect_timeout=2,
        ping_interval=_PING_INTERVAL_SECONDS,
        max_outstanding_pings=2,
    )
    return client
