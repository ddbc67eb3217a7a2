"""The broker's answers on NATS."""

import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg

from broker.admission import Admission
from broker.availability import Availability
from broker.ollama import Ollama
from broker.settings import Settings
from broker.validation import read_request
from schemas import headers, subjects
from schemas.ai import GenerateReply, ModelsReply
from schemas.errors import AIErrorCode, AIFailure
from schemas.micro import Service

log = logging.getLogger("broker")

_REPLY_SHARE = 0.02
"""Part of the time that is kept back, so that a late answer is told before its caller gives up..."""
_REPLY_MS = 250
"""... but never more than this."""


@dataclass(frozen=True, slots=True)
class Broker:
    """The handlers and what they work with."""

    settings: Settings
    ollama: Ollama
    availability: Availability
    admission: Admission

    def service(self, nc: Client) -> Service:
        """The handlers as a NATS micro service, not started yet."""
        service = Service(nc, "wasmforge-broker", "Checks what plugins ask of AI models and passes it on")
        service.add("generate", subjects.AI_GENERATE, subjects.BROKERS, self.generate)
        service.add("models", subjects.AI_MODELS, subjects.BROKERS, self.models)
        return service

    async def generate(self, msg: Msg) -> bytes:
        """Answer one prompt.

        Raises:
            AIFailure: whatever is wrong, with the request or with the model server.
        """
        started = time.perf_counter()
        timeout_seconds = self._timeout_seconds(msg.headers or {})
        request = read_request(msg.data)
        model = self.settings.catalog.resolve(request.model)
        try:
            async with asyncio.timeout(timeout_seconds), self.admission.admitted():
                generated = await self.ollama.generate(model, request)
        except TimeoutError:
            failure = AIFailure(
                f"model {request.model} did not answer within {timeout_seconds:.3g} s", AIErrorCode.TIMEOUT
            )
            log.info("%s: %s", failure.code, failure.message)
            raise failure from None
        except AIFailure as failure:
            log.info("%s: %s", failure.code, failure.message)
            raise
        return msgspec.json.encode(
            GenerateReply(
                model=request.model,
                response=generated.text,
                answered_by=model,
                prompt_tokens=generated.prompt_tokens,
                output_tokens=generated.output_tokens,
                duration_us=round((time.perf_counter() - started) * 1e6),
            )
        )

    async def models(self, msg: Msg) -> bytes:
        """List the approved models and the state of the model server."""
        found = await self.availability.current()
        return msgspec.json.encode(
            ModelsReply(
                models=self.settings.catalog.describe(found.models),
                url=self.ollama.url,
                connected=found.error is None,
                server_models=found.models,
                error=found.error,
            )
        )

    def _timeout_seconds(self, given: Mapping[str, str]) -> float:
        text = given.get(headers.TIMEOUT_MS, "")
        if text.isascii() and text.isdecimal() and len(text) < 16:
            asked_ms = min(int(text), self.settings.longest_timeout_ms)
        else:
            asked_ms = self.settings.default_timeout_ms
        return (asked_ms - min(_REPLY_MS, asked_ms * _REPLY_SHARE)) / 1000
