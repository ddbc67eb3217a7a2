"""Requests to other services of the platform, and events to all of them."""

import asyncio

import nats.errors

from gateway.inbox import Inbox
from gateway.waiters import OneReply, Reply, nobody_there, read_end
from schemas.errors import DeadlineExceeded, Unavailable
from schemas.inbox import PAUSES_SECONDS, is_nobody


async def ask(inbox: Inbox, subject: str, body: bytes, *, timeout_seconds: float, nobody: str) -> Reply:
    """One request to another service of the platform, without heartbeats.

    Args:
        nobody: what `Unavailable` says if nobody listens there.

    Raises:
        Unavailable: not connected, nobody listens, or no answer in time.
        WasmForgeError: as the service answered.
    """
    for pause_seconds in (*PAUSES_SECONDS, None):
        waiter = OneReply(timeout_seconds, heartbeats=False)
        reply_to = await inbox.send(waiter, subject, body)
        try:
            msg = await waiter.future
        except DeadlineExceeded:
            raise Unavailable(f"{nobody}: no answer within {timeout_seconds:g} seconds") from None
        finally:
            inbox.forget(reply_to)
        if not is_nobody(msg):
            reply = read_end(msg)
            if reply.error is not None:
                raise reply.error
            return reply
        if pause_seconds is not None:
            await asyncio.sleep(pause_seconds)
    raise nobody_there(nobody)


async def tell(inbox: Inbox, subject: str, body: bytes, *, timeout_seconds: float) -> None:
    """Publish an event and wait until the server has it.

    Raises:
        Unavailable: it may not have arrived.
    """
    client = inbox.connection()
    try:
        async with asyncio.timeout(timeout_seconds):
            await client.publish(subject, body)
            await client.flush()
    except (nats.errors.Error, TimeoutError) as error:
        raise Unavailable("NATS went away before the change could be told to the executors") from error
