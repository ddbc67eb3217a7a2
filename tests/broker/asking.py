"""A broker in this process, and how a caller on NATS asks it."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription

from broker.readers import Readers
from broker.running import running
from broker.settings import Settings
from schemas import headers, subjects
from schemas.ai import ChatReply, EmbedReply, GenerateReply, ModelsReply
from schemas.errors import AIErrorCode, AIFailure
from schemas.messages import Cancel

ALIASES = "mistral:latest=smollm2:135m,qwen2.5:1.5b=smollm2:135m,gemma2:2b=smollm2:135m,llama3.2:latest=smollm2:135m"


@dataclass
class Caller:
    """Somebody on NATS."""

    nc: Client

    async def generate(self, prompt: Any = "Hi", model: Any = "mistral:latest", **more: Any) -> GenerateReply:
        """Ask, or raise the error that was answered; ``timeout_ms`` becomes a header."""
        timeout_ms = more.pop("timeout_ms", None)
        return await self.raw(msgspec.json.encode({"model": model, "prompt": prompt} | more), timeout_ms)

    async def raw(self, body: bytes, timeout_ms: int | str | None = None) -> GenerateReply:
        """Send these bytes."""
        given = {} if timeout_ms is None else {headers.TIMEOUT_MS: str(timeout_ms)}
        reply = await self.nc.request(subjects.AI_GENERATE, body, timeout=60, headers=given)
        if error := headers.get_error(reply.headers, reply.data):
            raise error
        return msgspec.json.decode(reply.data, type=GenerateReply)

    async def failure(self, prompt: Any = "Hi", **more: Any) -> AIFailure:
        """Ask, and return the error, which there must be."""
        try:
            reply = await self.generate(prompt, **more)
        except AIFailure as error:
            return error
        raise AssertionError(f"it answered: {reply}")

    async def fails_at_once(self, code: AIErrorCode, **more: Any) -> AIFailure:
        """The same, and soon: seconds before any deadline."""
        started = time.perf_counter()
        error = await self.failure(**more)
        assert time.perf_counter() - started < 2, "it took its time"
        assert error.code is code, error
        return error

    async def chat(self, messages: Any = "Hi", model: str = "mistral:latest", **more: Any) -> ChatReply:
        """Go on with a conversation; a text alone is one message of a user."""
        if isinstance(messages, str):
            messages = [{"role": "user", "content": messages}]
        body = msgspec.json.encode({"model": model, "messages": messages} | more)
        return msgspec.json.decode(await self._ask(subjects.AI_CHAT, body), type=ChatReply)

    async def embed(self, texts: Any, model: str = "mistral:latest", **more: Any) -> EmbedReply:
        """Vectors of texts."""
        body = msgspec.json.encode({"model": model, "input": texts} | more)
        return msgspec.json.decode(await self._ask(subjects.AI_EMBED, body), type=EmbedReply)

    @asynccontextmanager
    async def stream(
        self, subject: str = subjects.AI_GENERATE, given: dict[str, str] | None = None, **request: Any
    ) -> AsyncIterator["Stream"]:
        """An answer piece by piece, asked for when the block begins."""
        inbox = self.nc.new_inbox()
        subscription = await self.nc.subscribe(inbox)
        await self.nc.flush()
        usual = {"messages": [{"role": "user", "content": "Hi"}]} if subject == subjects.AI_CHAT else {"prompt": "Hi"}
        body = msgspec.json.encode({"model": "mistral:latest"} | usual | request)
        await self.nc.publish(subject, body, inbox, headers={headers.STREAM: "1"} | (given or {}))
        try:
            yield Stream(self.nc, inbox, subscription)
        finally:
            await subscription.unsubscribe()

    async def cancel(self, inbox: str) -> None:
        """Say that the answer is not wanted any more."""
        await self.nc.publish(subjects.AI_CANCEL, msgspec.json.encode(Cancel(inbox)))

    async def _ask(self, subject: str, body: bytes) -> bytes:
        reply = await self.nc.request(subject, body, timeout=60)
        if error := headers.get_error(reply.headers, reply.data):
            raise error
        return reply.data

    async def models(self) -> ModelsReply:
        """The list of models, which comes within a second whatever the server does."""
        started = time.perf_counter()
        reply = await self.nc.request(subjects.AI_MODELS, b"", timeout=5)
        assert time.perf_counter() - started < 1, "the list took its time"
        return msgspec.json.decode(reply.data, type=ModelsReply)


@dataclass
class Stream:
    """What comes of one."""

    nc: Client
    inbox: str
    subscription: Subscription

    async def next(self) -> Msg:
        """The next message."""
        return await self.subscription.next_msg(timeout=20)

    async def piece(self) -> str:
        """The next message, which has to be a piece of the answer."""
        msg = await self.next()
        assert (msg.headers or {}).get(headers.EVENT) == headers.EVENT_OUTPUT, (msg.headers, msg.data)
        return msg.data.decode()

    async def rest(self) -> tuple[list[str], bytes]:
        """All pieces, and the last message's body; raises the error that it may be."""
        pieces = []
        while True:
            msg = await self.next()
            given = msg.headers or {}
            if given.get(headers.FINAL) == "1":
                if error := headers.get_error(given, msg.data):
                    raise error
                return pieces, msg.data
            assert given.get(headers.EVENT) == headers.EVENT_OUTPUT, given
            pieces.append(msg.data.decode())

    async def failure(self) -> AIFailure:
        """The error in which it ends."""
        try:
            found = await self.rest()
        except AIFailure as error:
            return error
        raise AssertionError(f"it ended well: {found}")


@asynccontextmanager
async def serving(nc: Client, url: str, **changed: Any) -> AsyncIterator[None]:
    """A broker that answers for the length of the block. ``environment`` goes into its settings."""
    readers = changed.pop("readers", None) or Readers(nc)
    environment = {"OLLAMA_URLS": url, "WASMFORGE_MODEL_ALIASES": ALIASES} | changed.pop("environment", {})
    settings = replace(Settings.read(environment), **changed)
    async with running(settings, nc, readers) as service:
        try:
            yield
        finally:
            assert await service.drain(5), "something was left running"
