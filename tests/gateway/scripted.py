"""Stand-ins on NATS for executors and brokers that do exactly what a test says."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import msgspec
import nats
from nats.aio.client import Client
from nats.aio.msg import Msg

from schemas import headers, subjects
from schemas.ai import ModelsReply
from schemas.errors import WasmForgeError
from schemas.messages import CheckReply, CheckRequest
from schemas.micro import Service

Script = Callable[["Call"], Awaitable[None]]


class Call:
    """A request that arrived, and ways to answer it."""

    def __init__(self, client: Client, msg: Msg) -> None:
        self._client = client
        self.msg = msg
        self.input = msg.data
        self.headers = msg.headers or {}
        self.plugin = msg.subject.rpartition(".")[2]

    async def reply(self, body: bytes = b"", extra: dict[str, str] | None = None) -> None:
        """The end of the call."""
        made = {
            headers.EXECUTION_ID: self.headers.get(headers.EXECUTION_ID, ""),
            headers.REVISION: "ab" * 32,
            headers.EXECUTOR: "scripted",
            headers.FINAL: "1",
        } | (extra or {})
        headers.put_phases(made, {"run": 1500, "restore": 200})
        await self._client.publish(self.msg.reply, body, headers=made)

    async def error(self, error: WasmForgeError) -> None:
        """The end of the call, failed."""
        made = {headers.FINAL: "1", headers.EXECUTOR: "scripted"}
        headers.put_error(made, error)
        headers.put_phases(made, {"run": 1500})
        await self._client.publish(self.msg.reply, error.message.encode(), headers=made)

    async def event(self, kind: str, body: bytes = b"") -> None:
        """A piece of output or log, or a heartbeat."""
        await self._client.publish(self.msg.reply, body, headers={headers.EVENT: kind})

    async def raw(self, body: bytes, made: dict[str, str] | None) -> None:
        """Whatever a broken or hostile responder may send."""
        await self._client.publish(self.msg.reply, body, headers=made)


async def echo(call: Call) -> None:
    """What the scripted executor does unless told otherwise."""
    await call.reply(call.input)


class Executor:
    """An executor without a sandbox. ``script`` says what it does with a call; calls are kept in ``calls``."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.script: Script = echo
        self.verdict = CheckReply(True)
        self.calls: list[Call] = []
        self.checked: list[str] = []
        self.events: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue()
        self.called = asyncio.Event()

    async def run(self, msg: Msg) -> None:
        """Serve one call."""
        call = Call(self.client, msg)
        self.calls.append(call)
        self.called.set()
        await self.script(call)

    async def check(self, msg: Msg) -> bytes:
        """Say what the test wants said."""
        self.checked.append(msgspec.json.decode(msg.data, type=CheckRequest).source)
        return msgspec.json.encode(self.verdict)


@contextlib.asynccontextmanager
async def scripted_executor(url: str, **more_metadata: str) -> AsyncIterator[Executor]:
    """A scripted executor that listens."""
    client = await nats.connect(url)
    executor = Executor(client)

    async def on_call(msg: Msg) -> None:
        task = asyncio.create_task(executor.run(msg))
        running.add(task)
        task.add_done_callback(running.discard)

    async def on_event(msg: Msg) -> None:
        await executor.events.put((msg.subject, msg.data))

    running: set[asyncio.Task[None]] = set()
    metadata = {
        "engine": "a-O2.so",
        "confinement": "best-effort",
        "confinement_layers": "seccomp empty_root",
        "confinement_missing": '{"user_namespace": "not here"}',
        **more_metadata,
    }
    service = Service(client, "wasmforge-executor", "scripted", metadata)
    service.add("check", subjects.CHECK, subjects.EXECUTORS, executor.check)
    await service.start()
    await client.subscribe(subjects.FUNCTIONS, queue=subjects.EXECUTORS, cb=on_call)
    await client.subscribe(subjects.TRY, queue=subjects.EXECUTORS, cb=on_call)
    await client.subscribe(subjects.PLUGIN_EVENTS, cb=on_event)
    await client.flush()
    try:
        yield executor
    finally:
        for task in list(running):
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        # Not just closed: the server might still hand the next test's calls to it.
        await client.drain()


@contextlib.asynccontextmanager
async def scripted_broker(
    url: str, answer: ModelsReply | bytes, subject: str = subjects.AI_MODELS
) -> AsyncIterator[list[Msg]]:
    """A broker that always gives this answer; yields what it was asked."""
    client = await nats.connect(url)
    asked: list[Msg] = []

    async def on_request(msg: Msg) -> None:
        asked.append(msg)
        await msg.respond(answer if isinstance(answer, bytes) else msgspec.json.encode(answer))

    await client.subscribe(subject, queue=subjects.BROKERS, cb=on_request)
    await client.flush()
    try:
        yield asked
    finally:
        await client.close()
