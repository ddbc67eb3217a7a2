"""Requests to other services of the platform, and events to all of them."""

import asyncio

import nats.errors
from nats.aio.msg import Msg

from gateway.inbox import Inbox
from gateway.waiters import OneReply, Reply, nobody_there, read_end
from schemas.errors import DeadlineExceeded, Unavailable, WasmForgeError
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


class _Answers:
    """Collects replies, however many there are."""

    def __init__(self, all_seconds: float, most: int) -> None:
        self._most = most
        self.deadline = asyncio.get_running_loop().time() + all_seconds
        self.heard = float("inf")
        self.runner = "nobody in particular"
        self.messages: list[Msg] = []
        self.changed = asyncio.Event()
        self.over = False

    def deliver(self, msg: Msg) -> None:
        if is_nobody(msg):
            self.over = True
        elif len(self.messages) < self._most:
            self.messages.append(msg)
        self.changed.set()

    def fail(self, error: WasmForgeError) -> None:
        self.over = True
        self.changed.set()


async def ask_all(inbox: Inbox, subject: str, *, all_seconds: float, quiet_seconds: float, most: int) -> list[Msg]:
    """One request to everybody who listens there: nobody knows how many they are.

    Args:
        all_seconds: for so long at most answers are collected.
        quiet_seconds: ... and no longer than this after the last one that came.
        most: so many are kept.

    Raises:
        Unavailable: not connected. That nobody answers is no error.
    """
    answers = _Answers(all_seconds, most)
    reply_to = await inbox.send(answers, subject, b"")
    try:
        await answers.changed.wait()
        while not answers.over:
            answers.changed.clear()
            async with asyncio.timeout(quiet_seconds):
                await answers.changed.wait()
    except TimeoutError:
        pass
    finally:
        inbox.forget(reply_to)
    return answers.messages


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
