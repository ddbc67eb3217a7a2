"""A broker in this process, and how a caller on NATS asks it."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import msgspec
from nats.aio.client import Client

from broker.readers import Readers
from broker.running import running
from broker.settings import Settings
from schemas import headers, subjects
from schemas.ai import GenerateReply, ModelsReply
from schemas.errors import AIErrorCode, AIFailure

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

    async def models(self) -> ModelsReply:
        """The list of models, which comes within a second whatever the server does."""
        started = time.perf_counter()
        reply = await self.nc.request(subjects.AI_MODELS, b"", timeout=5)
        assert time.perf_counter() - started < 1, "the list took its time"
        return msgspec.json.decode(reply.data, type=ModelsReply)


@asynccontextmanager
async def serving(nc: Client, url: str, **changed: Any) -> AsyncIterator[None]:
    """A broker that answers for the length of the block. ``environment`` goes into its settings."""
    environment = {"OLLAMA_URL": url, "WASMFORGE_MODEL_ALIASES": ALIASES} | changed.pop("environment", {})
    settings = replace(Settings.read(environment), **changed)
    async with running(settings, nc, Readers(nc)) as service:
        try:
            yield
        finally:
            assert await service.drain(5), "something was left running"
