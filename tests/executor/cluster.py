"""Executors as processes, with a gateway and a broker on NATS that do what a test says."""

import asyncio
import contextlib
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg

from deploy.places import PROJECT
from schemas import bus, headers, subjects
from schemas.ai import (
    ChatReply,
    ChatRequest,
    EmbedReply,
    EmbedRequest,
    GenerateReply,
    GenerateRequest,
    Message,
    ModelInfo,
    ModelsReply,
)
from schemas.errors import NotFound, WasmForgeError
from schemas.messages import Cancel, ExecutionFinished, PluginChanged, PluginQuery, PluginRevision
from schemas.micro import Service, respond_error
from tests.executor.conftest import Engine
from tests.executor.sandboxed import revision

START_SECONDS = 60


class ScriptedGateway:
    """Answers for the plugins a test has deployed, as a gateway does."""

    def __init__(self, nc: Client) -> None:
        self._nc = nc
        self._service = Service(nc, "wasmforge-gateway", "scripted")
        self._service.add("plugins", subjects.PLUGIN_SOURCES, subjects.GATEWAYS, self._get)
        self.current: dict[str, PluginRevision] = {}
        self.revisions: dict[str, PluginRevision] = {}
        self.asked: Counter[str] = Counter()
        self.override: Callable[[str], bytes | WasmForgeError] | None = None

    async def start(self) -> None:
        """Begin to answer."""
        await self._service.start()

    async def stop(self) -> None:
        """Answer no more."""
        await self._service.drain(5)

    async def deploy(self, name: str, source: str, **limits: int) -> PluginRevision:
        """A new revision of a plugin, told to everybody."""
        made = revision(source, name, **limits)
        self.current[name] = self.revisions[made.digest] = made
        await self._tell(name, PluginChanged(name, "deployed", made.digest))
        return made

    async def delete(self, name: str) -> None:
        """Delete a plugin, told to everybody."""
        del self.current[name]
        await self._tell(name, PluginChanged(name, "deleted"))

    async def _tell(self, name: str, change: PluginChanged) -> None:
        await self._nc.publish(subjects.plugin_event(name), msgspec.json.encode(change))
        await self._nc.flush()

    async def _get(self, msg: Msg) -> bytes:
        name = subjects.plugin_of(msg.subject)
        self.asked[name] += 1
        if self.override is not None:
            answer = self.override(name)
            if isinstance(answer, WasmForgeError):
                raise answer
            return answer
        query = msgspec.json.decode(msg.data, type=PluginQuery)
        found = self.revisions.get(query.revision) if query.revision else self.current.get(name)
        if found is None or found.name != name:
            raise NotFound(f"there is no plugin {name!r}")
        return msgspec.json.encode(found)


Answer = Callable[[GenerateRequest, Msg], Awaitable[str]]
Turn = Callable[[ChatRequest, Msg], Awaitable[Message]]
Pieces = Callable[[GenerateRequest | ChatRequest, Msg], AsyncIterator[str]]


async def _echo(request: GenerateRequest, msg: Msg) -> str:
    return f"{request.model} says {request.prompt}"


async def _echo_turn(request: ChatRequest, msg: Msg) -> Message:
    return Message("assistant", f"{request.model} says {request.messages[-1].content}")


async def _words(request: GenerateRequest | ChatRequest, msg: Msg) -> AsyncIterator[str]:
    for word in ("once ", "upon ", "a time"):
        yield word


class ScriptedBroker:
    """Answers for models as ``answer``, ``turn`` and ``pieces`` say; what is cancelled ends.

    Every answer took 3 tokens of prompt and gave 2.
    """

    def __init__(self, nc: Client) -> None:
        self._nc = nc
        self._service = Service(nc, "wasmforge-broker", "scripted")
        for name, subject, answer in (
            ("generate", subjects.AI_GENERATE, self._generate),
            ("chat", subjects.AI_CHAT, self._chat),
            ("embed", subjects.AI_EMBED, self._embed),
            ("models", subjects.AI_MODELS, self._models),
        ):
            self._service.add(name, subject, subjects.BROKERS, answer)
        self._serving: dict[str, asyncio.Task[object] | None] = {}
        self.forget_scripts()
        self.asked: list[Msg] = []
        self.cancelled: asyncio.Queue[str] = asyncio.Queue()
        """Inboxes of requests that were cancelled while they were served."""

    def forget_scripts(self) -> None:
        """Answer as a new one does."""
        self.answer: Answer = _echo
        self.turn: Turn = _echo_turn
        self.pieces: Pieces = _words

    @property
    def serving(self) -> int:
        """Requests that are being answered."""
        return len(self._serving)

    async def start(self) -> None:
        """Begin to answer."""
        self._cancels = await self._nc.subscribe(subjects.AI_CANCEL, cb=self._on_cancel)
        await self._service.start()

    async def stop(self) -> None:
        """Answer no more."""
        await self._cancels.unsubscribe()
        await self._service.drain(0)

    async def _on_cancel(self, msg: Msg) -> None:
        inbox = msgspec.json.decode(msg.data, type=Cancel).reply_to
        task = self._serving.get(inbox)
        if task is not None:
            task.cancel()
            self.cancelled.put_nowait(inbox)

    @contextlib.contextmanager
    def _served(self, msg: Msg) -> Iterator[None]:
        self.asked.append(msg)
        self._serving[msg.reply] = asyncio.current_task()
        try:
            yield
        finally:
            del self._serving[msg.reply]

    async def _generate(self, msg: Msg) -> bytes | None:
        with self._served(msg):
            request = msgspec.json.decode(msg.data, type=GenerateRequest)
            if (msg.headers or {}).get(headers.STREAM) == "1":
                text = await self._stream(request, msg)
                return await self._last(msg, GenerateReply(request.model, text, "real", 3, 2, 50, 10))
            text = await self.answer(request, msg)
            return msgspec.json.encode(GenerateReply(request.model, text, "real", 3, 2, 50, 10))

    async def _chat(self, msg: Msg) -> bytes | None:
        with self._served(msg):
            request = msgspec.json.decode(msg.data, type=ChatRequest)
            if (msg.headers or {}).get(headers.STREAM) == "1":
                turn = Message("assistant", await self._stream(request, msg))
                return await self._last(msg, ChatReply(request.model, turn, "real", 3, 2, 50, 10))
            turn = await self.turn(request, msg)
            return msgspec.json.encode(ChatReply(request.model, turn, "real", 3, 2, 50, 10))

    async def _stream(self, request: GenerateRequest | ChatRequest, msg: Msg) -> str:
        text = ""
        try:
            async for piece in self.pieces(request, msg):
                text += piece
                await self._nc.publish(msg.reply, piece.encode(), headers={headers.EVENT: headers.EVENT_OUTPUT})
        except WasmForgeError as error:
            await respond_error(self._nc, msg.reply, error, {headers.FINAL: "1"})
            raise asyncio.CancelledError from None
        return text

    async def _last(self, msg: Msg, reply: msgspec.Struct) -> None:
        await self._nc.publish(msg.reply, msgspec.json.encode(reply), headers={headers.FINAL: "1"})

    async def _embed(self, msg: Msg) -> bytes:
        with self._served(msg):
            request = msgspec.json.decode(msg.data, type=EmbedRequest)
            vectors = [[float(len(text)), 0.5] for text in request.input]
            return msgspec.json.encode(EmbedReply(request.model, vectors, "real", 3, 50, 10))

    async def _models(self, msg: Msg) -> bytes:
        return msgspec.json.encode(ModelsReply([ModelInfo("m", "text", "a model", True, "m")], "http://nowhere", True))


@dataclass
class Reply:
    """A reply of an executor, or a piece of one."""

    body: bytes
    headers: dict[str, str]

    @property
    def error(self) -> WasmForgeError | None:
        """The error it stands for."""
        return headers.get_error(self.headers, self.body)

    @property
    def final(self) -> bool:
        """Whether nothing follows."""
        return self.headers.get(headers.FINAL) == "1"

    @property
    def event(self) -> str | None:
        """Kind of the piece."""
        return self.headers.get(headers.EVENT)


@dataclass
class Cluster:
    """NATS with a scripted gateway and broker, and a client that calls plugins."""

    url: str
    nc: Client
    gateway: ScriptedGateway
    broker: ScriptedBroker
    finished: asyncio.Queue[ExecutionFinished] = field(default_factory=asyncio.Queue)

    async def call(self, name: str, data: bytes | str = b"", seconds: float = 30, **given: Any) -> Reply:
        """Call a plugin, with headers such as ``timeout_ms=100``, and wait for its one reply."""
        body = data.encode() if isinstance(data, str) else data
        msg = await self.nc.request(subjects.function(name), body, timeout=seconds, headers=_headers(given))
        return Reply(msg.data, dict(msg.headers or {}))

    async def record(self, execution_id: str) -> ExecutionFinished:
        """The event of that execution, which leaves its executor after the reply does."""
        async with asyncio.timeout(10):
            while (event := await self.finished.get()).execution_id != execution_id:
                pass
        return event

    async def stream(self, name: str, data: bytes = b"", **given: Any) -> AsyncIterator[Reply]:
        """Call a plugin and get every message of its answer, up to the final one."""
        inbox = self.nc.new_inbox()
        subscription = await self.nc.subscribe(inbox)
        try:
            await self.nc.publish(subjects.function(name), data, reply=inbox, headers=_headers(given))
            while True:
                msg = await subscription.next_msg(timeout=30)
                reply = Reply(msg.data, dict(msg.headers or {}))
                yield reply
                if reply.final or reply.error:
                    return
        finally:
            await subscription.unsubscribe()


def _headers(given: dict[str, Any]) -> dict[str, str] | None:
    return {getattr(headers, name.upper()): str(value) for name, value in given.items()} or None


@contextlib.asynccontextmanager
async def cluster(url: str) -> AsyncIterator[Cluster]:
    """Everything but executors."""
    nc = await bus.connect(url, "test")
    services = await bus.connect(url, "test-services")
    made = Cluster(url, nc, ScriptedGateway(services), ScriptedBroker(services))

    async def on_finished(msg: Msg) -> None:
        made.finished.put_nowait(msgspec.json.decode(msg.data, type=ExecutionFinished))

    await nc.subscribe(subjects.EXECUTION_EVENTS, cb=on_finished)
    await made.gateway.start()
    await made.broker.start()
    await nc.flush()
    try:
        yield made
    finally:
        await nc.close()
        await services.close()


class Executor:
    """An executor as a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process = process
        self._log = log

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def log(self) -> str:
        """What it has logged so far."""
        return self._log.read_text(errors="replace")

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    async def ended(self, seconds: float = 30) -> int:
        """Wait for its end; its exit status."""
        async with asyncio.timeout(seconds):
            return await self._process.wait()

    async def until_logged(self, text: str, seconds: float = START_SECONDS) -> None:
        """Wait until it has logged ``text``."""
        async with asyncio.timeout(seconds):
            while text not in self.log:
                assert self._process.returncode is None, self.log
                await asyncio.sleep(0.005)


@contextlib.asynccontextmanager
async def executor(
    url: str,
    engine: Engine,
    folder: Path,
    *,
    wait: bool = True,
    program: Sequence[str] = (sys.executable, "-m", "executor"),
    **settings: object,
) -> AsyncIterator[Executor]:
    """``python -m executor`` until the end of the block; takes calls when this is entered.

    Args:
        folder: for its log.
        program: what to start, when it should become an executor some other way.
        settings: ``slots=1`` becomes ``WASMFORGE_SLOTS=1``.
    """
    environment = os.environ | {
        "PYTHONPATH": str(PROJECT),
        "WASMFORGE_NATS": url,
        "WASMFORGE_WASMEDGE": str(engine.wasmedge),
        "WASMFORGE_ENGINES": str(engine.engines),
        # Unless a test says otherwise, a call that waits for a model keeps its slot, so that slots can be filled.
        "WASMFORGE_OUTSIDE": "0",
        **{f"WASMFORGE_{name.upper()}": str(value) for name, value in settings.items()},
    }
    log = folder / f"executor-{len(list(folder.glob('executor-*')))}.log"
    with log.open("wb") as file:
        process = await asyncio.create_subprocess_exec(
            *program,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=file,
            stderr=file,
        )
    made = Executor(process, log)
    try:
        if wait:
            await made.until_logged("takes calls")
        yield made
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
