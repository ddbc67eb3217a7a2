"""The connection to NATS keeps its order: what is flushed has arrived, what is drained has been served."""

import asyncio

from nats.aio.msg import Msg
from nats.errors import NoRespondersError

from schemas import bus


async def test_what_was_published_before_a_flush_has_reached_the_server_after_it(nats_url: str) -> None:
    sender, receiver = await bus.connect(nats_url, "sender"), await bus.connect(nats_url, "receiver")
    subscription = await receiver.subscribe("bus.flushed")
    await receiver.flush()
    for number in range(1, 201):
        await sender.publish("bus.flushed", b"x" * 1000)
        await sender.flush()
        await receiver.flush()
        assert subscription.pending_msgs == number
    await sender.close()
    await receiver.close()


async def test_a_subscription_that_is_drained_loses_no_request(nats_url: str) -> None:
    connection = await bus.connect(nats_url, "drains")

    async def answer(msg: Msg) -> None:
        await msg.respond(msg.data)

    async def ask(text: bytes) -> bytes:
        try:
            return (await connection.request("bus.drained", text, timeout=5)).data
        except NoRespondersError:
            return b"nobody"

    found: set[bytes] = set()
    for _ in range(200):
        subscription = await connection.subscribe("bus.drained", queue="q", cb=answer)
        await connection.flush()
        found |= set(await asyncio.gather(ask(b"1"), subscription.drain(), ask(b"2"), ask(b"3"))) - {None}
    assert found <= {b"1", b"2", b"3", b"nobody"}
    assert b"1" in found
    await connection.close()
