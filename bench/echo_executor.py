"""Answers every call with its own input: what the way through gateway and NATS costs without a sandbox.

    python bench/echo_executor.py [nats://127.0.0.1:4222]

Takes calls in the executors' queue group, so it must be the only executor. Prints ``ready`` once it listens.
"""

import asyncio
import logging
import os
import signal
import sys

import uvloop
from nats.aio.client import Client
from nats.aio.msg import Msg

from schemas import bus, headers, subjects
from schemas.micro import Service

REVISION = "0" * 64


async def echo(client: Client, msg: Msg) -> None:
    """One reply with the headers that an executor's has."""
    asked = msg.headers or {}
    reply = {
        headers.EXECUTION_ID: asked.get(headers.EXECUTION_ID, "echo"),
        headers.REVISION: REVISION,
        headers.EXECUTOR: "echo",
        headers.AI_CALLS: "0",
        headers.FINAL: "1",
    }
    headers.put_phases(reply, {"queue": 0, "prepare": 0, "restore": 0, "run": 1, "ai_wait": 0, "reply": 0})
    await client.publish(msg.reply, msg.data, headers=reply)


async def main(url: str) -> None:
    """Serve until SIGTERM or SIGINT."""
    # That its connection ends when it is stopped is no news.
    logging.getLogger("schemas.bus").setLevel(logging.ERROR)
    client = await bus.connect(url, "wasmforge-echo")

    async def on_message(msg: Msg) -> None:
        if msg.reply:
            await echo(client, msg)

    # Only to be found as an executor; its calls are served without a task for each.
    service = Service(client, "wasmforge-executor", "Echo in place of a sandbox", {"executor": "echo"})
    await service.start()
    await client.subscribe(subjects.FUNCTIONS, queue=subjects.EXECUTORS, cb=on_message)
    await client.flush()
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    print("ready", flush=True)
    await stopped.wait()
    await client.drain()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1] if len(sys.argv) > 1 else os.environ.get("WASMFORGE_NATS", "nats://127.0.0.1:4222")))
