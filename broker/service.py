"""The broker's answers on NATS."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg

from broker import overview
from broker.answering import Answering, Asked, Outcome, Spoken, spoken
from broker.backends.backend import Answer, Embedded
from broker.checker import Checker
from broker.fleet import Fleet
from broker.formed import formed
from broker.options import most_output_tokens, repeatable
from broker.readers import Reader, Readers
from broker.requests import read_chat, read_embed, read_generate
from broker.scheduler import Scheduler
from broker.servers import ModelServer
from broker.settings import Settings
from broker.ticket import Operation, Origin, Ticket
from schemas import headers, subjects
from schemas.ai import ChatReply, ChatRequest, EmbedReply, EmbedRequest, GenerateReply, GenerateRequest, Message
from schemas.errors import AIErrorCode, AIFailure
from schemas.micro import Service

log = logging.getLogger("broker")

_REPLY_SHARE = 0.02
"""Part of the time that is kept back, so that a late answer is told before its caller gives up..."""
_REPLY_MS = 250
"""... but never more than this."""

T = TypeVar("T")
Spoke = TypeVar("Spoke", GenerateRequest, ChatRequest)
Reply = GenerateReply | ChatReply | EmbedReply
Begin = Callable[[ModelServer, str, Spoke, bool], Answer]
"""Asks a server for its model of this name; the last one says whether the answer is wanted piece by piece."""


@dataclass(frozen=True, slots=True)
class Broker:
    """The handlers and what they work with."""

    settings: Settings
    nc: Client
    fleet: Fleet
    scheduler: Scheduler
    answering: Answering
    checker: Checker
    readers: Readers

    def service(self) -> Service:
        """The handlers as a NATS micro service, not started yet."""
        service = Service(self.nc, "wasmforge-broker", "Checks what plugins ask of AI models and passes it on")
        service.add("generate", subjects.AI_GENERATE, subjects.BROKERS, self.generate)
        service.add("chat", subjects.AI_CHAT, subjects.BROKERS, self.chat)
        service.add("embed", subjects.AI_EMBED, subjects.BROKERS, self.embed)
        service.add("models", subjects.AI_MODELS, subjects.BROKERS, self.models)
        return service

    async def generate(self, msg: Msg) -> bytes | None:
        """Answer one prompt, at once or piece by piece.

        Raises:
            AIFailure: whatever is wrong, with the request or with the model servers.
        """

        def begin(server: ModelServer, name: str, request: GenerateRequest, stream: bool) -> Answer:
            return server.backend.generate(name, request, stream=stream)

        async def answer(arrival: _Arrival, reader: Reader) -> GenerateReply:
            request, characters = read_generate(msg.data)
            asked = self._asked("generate", msg, arrival, request, characters)
            needs = ["vision"] if request.images else []
            outcome = await self._spoken(asked, needs, begin, request, reader)
            return GenerateReply(
                model=request.model,
                response=outcome.value.text,
                answered_by=outcome.target,
                prompt_tokens=outcome.value.prompt_tokens,
                output_tokens=outcome.value.output_tokens,
                duration_us=arrival.microseconds_ago(),
                queue_us=outcome.queue_us,
            )

        return await self._served(msg, answer)

    async def chat(self, msg: Msg) -> bytes | None:
        """Go on with a conversation, at once or piece by piece.

        Raises:
            AIFailure: whatever is wrong, with the request or with the model servers.
        """

        def begin(server: ModelServer, name: str, request: ChatRequest, stream: bool) -> Answer:
            return server.backend.chat(name, request, stream=stream)

        async def answer(arrival: _Arrival, reader: Reader) -> ChatReply:
            request, characters = read_chat(msg.data)
            asked = self._asked("chat", msg, arrival, request, characters)
            needs = ["tools"] if request.tools else []
            needs += ["vision"] if any(message.images for message in request.messages) else []
            outcome = await self._spoken(asked, needs, begin, request, reader)
            calls = list(outcome.value.tool_calls)
            return ChatReply(
                model=request.model,
                message=Message("assistant", outcome.value.text, tool_calls=calls or None),
                answered_by=outcome.target,
                prompt_tokens=outcome.value.prompt_tokens,
                output_tokens=outcome.value.output_tokens,
                duration_us=arrival.microseconds_ago(),
                queue_us=outcome.queue_us,
            )

        return await self._served(msg, answer)

    async def embed(self, msg: Msg) -> bytes | None:
        """Turn texts into vectors.

        Raises:
            AIFailure: whatever is wrong, with the request or with the model servers.
        """

        async def answer(arrival: _Arrival, reader: Reader) -> EmbedReply:
            request, characters = read_embed(msg.data)
            asked = self._asked("embed", msg, arrival, request, characters)

            async def use(server: ModelServer, name: str) -> Embedded:
                return await server.backend.embed(name, request)

            outcome = await self._in_time(asked, self.answering.ask(asked, [], use, lambda: False))
            return EmbedReply(
                model=request.model,
                embeddings=outcome.value.vectors,
                answered_by=outcome.target,
                prompt_tokens=outcome.value.prompt_tokens,
                duration_us=arrival.microseconds_ago(),
                queue_us=outcome.queue_us,
            )

        return await self._served(msg, answer)

    async def models(self, msg: Msg) -> bytes:
        """List the approved models and the state of the model servers."""
        fresh = await self.fleet.current()
        return msgspec.json.encode(overview.of(self.settings.catalog, self.fleet, fresh, self.scheduler))

    async def _served(self, msg: Msg, answer: Callable[["_Arrival", Reader], Awaitable[Reply]]) -> bytes | None:
        body: bytes | None = None
        arrival = _Arrival()
        async with self.readers.reading(msg) as reader:
            body = self._encoded(await answer(arrival, reader))
            if reader.streaming:
                await reader.final(body)
                body = None
        return body

    async def _spoken(
        self, asked: Asked, needs: Sequence[str], begin: Begin[Spoke], request: Spoke, reader: Reader
    ) -> Outcome[Spoken]:
        async def use(server: ModelServer, name: str) -> Spoken:
            if request.format is None:
                on_text = reader.piece if reader.streaming else None
                return await spoken(begin(server, name, request, reader.streaming), on_text)

            async def ask(request: Spoke) -> Spoken:
                return await spoken(begin(server, name, request, False))

            whole = await formed(self.checker, request, ask)
            if reader.streaming:
                # Nobody gets a part of an answer that may turn out to be wrong.
                await reader.piece(whole.text)
            return whole

        async def work() -> Outcome[Spoken]:
            await self.checker.check_schema(request.format)
            return await self.answering.ask(asked, needs, use, lambda: reader.begun)

        return await self._in_time(asked, work())

    async def _in_time(self, asked: Asked, work: Awaitable[T]) -> T:
        ticket = asked.ticket
        try:
            async with asyncio.timeout_at(ticket.deadline):
                return await work
        except TimeoutError:
            failure = AIFailure(
                f"model {ticket.model[:80]} did not answer within {asked.seconds:.3g} s", AIErrorCode.TIMEOUT
            )
            log.info("%s: %s", failure.code, failure.message)
            raise failure from None
        except AIFailure as failure:
            log.info("%s: %s", failure.code, failure.message)
            raise

    def _encoded(self, reply: Reply) -> bytes:
        body = msgspec.json.encode(reply)
        if len(body) > self.nc.max_payload:
            raise AIFailure(
                f"the answer has {len(body):,} bytes, NATS takes {self.nc.max_payload:,}: ask for less at once",
                AIErrorCode.REFUSED,
            )
        return body

    def _asked(
        self,
        operation: Operation,
        msg: Msg,
        arrival: "_Arrival",
        request: GenerateRequest | ChatRequest | EmbedRequest,
        characters: int,
    ) -> Asked:
        targets = self.settings.catalog.resolve(request.model)
        given = msg.headers or {}
        origin = Origin.read(given)
        seconds = self._timeout_seconds(given)
        ticket = Ticket(
            operation=operation,
            model=request.model,
            target=targets[0],
            deadline=arrival.time + seconds,
            plugin=origin.plugin,
            caller=origin.caller,
            execution_id=origin.execution_id,
            prompt_characters=characters,
            most_output_tokens=most_output_tokens(request.options),
            stream=given.get(headers.STREAM) == "1",
            cache=request.cache and (operation == "embed" or repeatable(request.options)),
        )
        return Asked(ticket, targets, seconds)

    def _timeout_seconds(self, given: Mapping[str, str]) -> float:
        text = given.get(headers.TIMEOUT_MS, "")
        if text.isascii() and text.isdecimal() and len(text) < 16:
            asked_ms = min(int(text), self.settings.longest_timeout_ms)
        else:
            asked_ms = self.settings.default_timeout_ms
        return (asked_ms - min(_REPLY_MS, asked_ms * _REPLY_SHARE)) / 1000


class _Arrival:
    """When a request came."""

    def __init__(self) -> None:
        self.time = asyncio.get_running_loop().time()
        self._exact = time.perf_counter()

    def microseconds_ago(self) -> int:
        return round((time.perf_counter() - self._exact) * 1e6)
