"""A NATS micro service (ADR-32) whose endpoints run their requests side by side and stop without losing one.

The library's own `nats.micro` runs the requests of an endpoint one after the other and drops those in flight when it
stops; everything a service here is for needs the opposite. `nats micro ls|info|stats|ping` shows both alike.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from schemas import __version__, headers
from schemas.errors import Busy, RuntimeFault, WasmForgeError

log = logging.getLogger(__name__)

Handler = Callable[[Msg], Awaitable[bytes | None]]
"""Answers one request: returns the reply's body, or None if it has replied itself; raises `WasmForgeError`."""

MAX_RUNNING_REQUESTS = 4096
"""Requests an endpoint holds at once; beyond that it answers `Busy` at once."""


@dataclass
class Endpoint:
    """One subject of a service, with its statistics."""

    name: str
    subject: str
    queue_group: str
    handler: Handler
    metadata: dict[str, str]
    requests: int = 0
    errors: int = 0
    processing_ns: int = 0
    last_error: str = ""
    subscription: Subscription | None = field(default=None, repr=False)

    def info(self) -> dict[str, object]:
        """As ADR-32 describes an endpoint."""
        return {
            "name": self.name,
            "subject": self.subject,
            "queue_group": self.queue_group,
            "metadata": self.metadata,
        }

    def stats(self) -> dict[str, object]:
        """As ADR-32 counts an endpoint; times in nanoseconds."""
        return {
            "name": self.name,
            "subject": self.subject,
            "queue_group": self.queue_group,
            "num_requests": self.requests,
            "num_errors": self.errors,
            "last_error": self.last_error,
            "processing_time": self.processing_ns,
            "average_processing_time": self.processing_ns // max(1, self.requests),
        }


async def respond_error(nc: Client, reply_to: str, error: WasmForgeError, extra: dict[str, str] | None = None) -> None:
    """Send ``error`` as the answer of a request: headers of ADR-32 and ours, the whole text as body."""
    reply_headers = dict(extra or {})
    headers.put_error(reply_headers, error)
    await nc.publish(reply_to, error.message.encode(), headers=reply_headers)


class Service:
    """A set of endpoints under one name.

    Use: ``add`` endpoints, ``await start()``; to stop, ``await drain(deadline_seconds)``.
    """

    def __init__(self, nc: Client, name: str, description: str, metadata: dict[str, str] | None = None) -> None:
        self._nc = nc
        self._name = name
        self._description = description
        self._metadata = metadata or {}
        self._started = datetime.now(UTC)
        self._endpoints: list[Endpoint] = []
        self._control: list[Subscription] = []
        self._running: set[asyncio.Task[None]] = set()
        self.id = nc._nuid.next().decode()  # the library offers its identifiers no other way

    def add(
        self, name: str, subject: str, queue_group: str, handler: Handler, metadata: dict[str, str] | None = None
    ) -> Endpoint:
        """Add an endpoint; it listens from `start` (or `listen`) on."""
        endpoint = Endpoint(name, subject, queue_group, handler, metadata or {})
        self._endpoints.append(endpoint)
        return endpoint

    async def start(self) -> None:
        """Listen on every endpoint, then answer PING, INFO and STATS: whoever answers takes requests."""
        for endpoint in self._endpoints:
            await self.listen(endpoint)
        for verb, answer in (("PING", self._ping), ("INFO", self._info), ("STATS", self._stats)):
            for tail in ("", f".{self._name}", f".{self._name}.{self.id}"):
                self._control.append(await self._nc.subscribe(f"$SRV.{verb}{tail}", cb=self._control_handler(answer)))
        await self._nc.flush()

    async def listen(self, endpoint: Endpoint) -> None:
        """Take requests of this endpoint (again)."""
        if endpoint.subscription is None:
            endpoint.subscription = await self._nc.subscribe(
                endpoint.subject, queue=endpoint.queue_group, cb=self._request_handler(endpoint)
            )

    async def pause(self, endpoint: Endpoint) -> None:
        """Take nothing new on this endpoint; what the server has sent already is still served."""
        subscription, endpoint.subscription = endpoint.subscription, None
        if subscription is not None:
            await subscription.drain()  # type: ignore[no-untyped-call]

    async def drain(self, deadline_seconds: float) -> bool:
        """Take nothing new, finish what runs.

        Returns:
            Whether all was finished within the deadline; what was not is cancelled.
        """
        for endpoint in self._endpoints:
            await self.pause(endpoint)
        finished = True
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=deadline_seconds)
            finished = not late
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=5)
        for subscription in self._control:
            await subscription.unsubscribe()
        self._control.clear()
        await self._nc.flush()
        return finished

    def _request_handler(self, endpoint: Endpoint) -> Callable[[Msg], Awaitable[None]]:
        async def on_message(msg: Msg) -> None:
            if len(self._running) >= MAX_RUNNING_REQUESTS:
                endpoint.requests += 1
                endpoint.errors += 1
                if msg.reply:
                    busy = Busy(f"{self._name} has too many requests, try again")
                    await respond_error(self._nc, msg.reply, busy, _last_of_stream(msg))
                return
            task = asyncio.create_task(self._serve(endpoint, msg))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

        return on_message

    async def _serve(self, endpoint: Endpoint, msg: Msg) -> None:
        started_ns = time.perf_counter_ns()
        endpoint.requests += 1
        try:
            body = await endpoint.handler(msg)
            if body is not None and msg.reply:
                await self._nc.publish(msg.reply, body)
        except Exception as caught:
            endpoint.errors += 1
            endpoint.last_error = (str(caught) or type(caught).__name__)[:500]
            error = caught
            if not isinstance(error, WasmForgeError):
                log.exception("%s: a request failed", endpoint.name)
                error = RuntimeFault(f"{self._name} failed to answer, its log says why")
            if msg.reply and not self._nc.is_closed:
                await respond_error(self._nc, msg.reply, error, _last_of_stream(msg))
        finally:
            endpoint.processing_ns += time.perf_counter_ns() - started_ns

    def _control_handler(self, answer: Callable[[], dict[str, object]]) -> Callable[[Msg], Awaitable[None]]:
        async def on_message(msg: Msg) -> None:
            if msg.reply:
                await self._nc.publish(msg.reply, msgspec.json.encode(answer()))

        return on_message

    def _identity(self, kind: str) -> dict[str, object]:
        return {
            "type": f"io.nats.micro.v1.{kind}_response",
            "name": self._name,
            "id": self.id,
            "version": __version__,
            "metadata": self._metadata,
        }

    def _ping(self) -> dict[str, object]:
        return self._identity("ping")

    def _info(self) -> dict[str, object]:
        return self._identity("info") | {
            "description": self._description,
            "endpoints": [endpoint.info() for endpoint in self._endpoints],
        }

    def _stats(self) -> dict[str, object]:
        return self._identity("stats") | {
            "started": self._started.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "endpoints": [endpoint.stats() for endpoint in self._endpoints],
        }


def _last_of_stream(msg: Msg) -> dict[str, str]:
    """Whoever asked for a stream has to see that nothing follows its error."""
    return {headers.FINAL: "1"} if (msg.headers or {}).get(headers.STREAM) == "1" else {}
