"""The connection to NATS, made the same way by every service."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from nats.aio.client import PING_PROTO, Client
from nats.aio.msg import Msg
from nats.errors import NoRespondersError

log = logging.getLogger(__name__)

_RECONNECT_WAIT_SECONDS = 0.2
_PING_INTERVAL_SECONDS = 10
_ASK_AGAIN_SECONDS = (0.02, 0.1)


class _BetterClient(Client):
    """The library's client with two of its parts replaced.

    Its PING overtakes what still waits to be sent, so that the PONG proves nothing of it: `flush` returns before a
    message has left, and a subscription that is drained loses what the server sends until it knows of that. Here it
    takes its turn.

    Its parser of headers costs 33 µs for a reply of an executor; this one costs 7 and finds the same.
    """

    @staticmethod
    def _parse_header_lines(raw: bytes) -> dict[str, str]:
        found = {}
        for line in raw.decode("utf-8", "replace").split("\r\n"):
            name, colon, value = line.partition(":")
            name = name.strip()
            # A name is one ASCII token; what is not is left out, as the library does.
            if colon and name.isascii() and len(name.split()) == 1:
                found[name] = value.strip()
        return found

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

    said = ""

    async def on_error(error: Exception) -> None:
        nonlocal said
        text = str(error) or type(error).__name__
        # Told five times a second while the server is away; once is enough.
        if text != said:
            log.warning("NATS: %s", text)
        said = text

    async def disconnected() -> None:
        log.warning("NATS: connection lost")
        if on_disconnect is not None:
            await on_disconnect()

    async def reconnected() -> None:
        nonlocal said
        said = ""
        log.info("NATS: connected again")
        if on_reconnect is not None:
            await on_reconnect()

    async def closed() -> None:
        if on_close is not None:
            on_close()

    client = _BetterClient()
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


async def ask(
    client: Client, subject: str, body: bytes, *, timeout_seconds: float, headers: dict[str, str] | None = None
) -> Msg:
    """A request whose answer may be an error (see `schemas.headers.get_error`).

    In the moment a member of a queue group leaves abruptly, the server says that nobody listens although others do; a
    request that nobody got is sent again.

    Raises:
        NoRespondersError: nobody listens.
        TimeoutError, ConnectionClosedError (of `nats.errors`): no answer in time, or no connection.
    """
    for wait_seconds in _ASK_AGAIN_SECONDS:
        try:
            return await client.request(subject, body, timeout=timeout_seconds, headers=headers)
        except NoRespondersError:
            await asyncio.sleep(wait_seconds)
    return await client.request(subject, body, timeout=timeout_seconds, headers=headers)
