"""The broker's answers on NATS."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg

from broker import overview
from broker.accounting import Accounting, bounded
from broker.answering import Answering, Asked, Outcome, Progress, Spoken, spoken
from broker.backends.backend import Answer, Embedded
from broker.budgets import Reservation
from broker.call import Call
from broker.checker import Checker
from broker.fleet import Fleet
from broker.formed import TRIES, formed
from broker.options import most_output_tokens, repeatable
from broker.readers import Readers
from broker.requests import read_chat, read_embed, read_generate
from broker.room import Room
from broker.servers import ModelServer
from broker.settings import Settings
from broker.ticket import Operation
from broker.usage import Spent
from schemas import subjects
from schemas.ai import ChatReply, ChatRequest, EmbedReply, EmbedRequest, GenerateReply, GenerateRequest, Message
from schemas.errors import AIErrorCode, AIFailure
from schemas.micro import Service

log = logging.getLogger("broker")

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
    answering: Answering
    accounting: Accounting
    checker: Checker
    readers: Readers
    room: Room

    def service(self) -> Service:
        """The handlers as a NATS micro service, not started yet."""
        service = Service(self.nc, "wasmforge-broker", "Checks what plugins ask of AI models and passes it on")
        service.add("generate", subjects.AI_GENERATE, subjects.BROKERS, self.generate)
        service.add("chat", subjects.AI_CHAT, subjects.BROKERS, self.chat)
        service.add("embed", subjects.AI_EMBED, subjects.BROKERS, self.embed)
        service.add("models", subjects.AI_MODELS, subjects.BROKERS, self.models)
        service.add("usage", subjects.AI_USAGE, "", self.accounting.usage.answer)
        return service

    async def generate(self, msg: Msg) -> bytes | None:
        """Answer one prompt, at once or piece by piece.

        Raises:
            AIFailure: whatever is wrong, with the request or with the model servers.
        """

        def begin(server: ModelServer, name: str, request: GenerateRequest, stream: bool) -> Answer:
            return server.backend.generate(name, request, stream=stream)

        async def answer(call: Call) -> GenerateReply:
            request, characters = read_generate(msg.data)
            needs = ["vision"] if request.images else []
            outcome, cached = await self._spoken(call, self._asked(call, request, characters), needs, begin, request)
            return GenerateReply(
                model=request.model,
                response=outcome.value.text,
                answered_by=outcome.target,
                prompt_tokens=outcome.value.prompt_tokens,
                output_tokens=outcome.value.output_tokens,
                duration_us=call.microseconds(),
                queue_us=0 if cached else outcome.queue_us,
                cached=cached,
            )

        return await self._served("generate", msg, answer)

    async def chat(self, msg: Msg) -> bytes | None:
        """Go on with a conversation, at once or piece by piece.

        Raises:
            AIFailure: whatever is wrong, with the request or with the model servers.
        """

        def begin(server: ModelServer, name: str, request: ChatRequest, stream: bool) -> Answer:
            return server.backend.chat(name, request, stream=stream)

        async def answer(call: Call) -> ChatReply:
            request, characters = read_chat(msg.data)
            needs = ["tools"] if request.tools else []
            needs += ["vision"] if any(message.images for message in request.messages) else []
            outcome, cached = await self._spoken(call, self._asked(call, request, characters), needs, begin, request)
            calls = list(outcome.value.tool_calls)
            return ChatReply(
                model=request.model,
                message=Message("assistant", outcome.value.text, tool_calls=calls or None),
                answered_by=outcome.target,
                prompt_tokens=outcome.value.prompt_tokens,
                output_tokens=outcome.value.output_tokens,
                duration_us=call.microseconds(),
                queue_us=0 if cached else outcome.queue_us,
                cached=cached,
            )

        return await self._served("chat", msg, answer)

    async def embed(self, msg: Msg) -> bytes | None:
        """Turn texts into vectors.

        Raises:
            AIFailure: whatever is wrong, with the request or with the model servers.
        """

        async def answer(call: Call) -> EmbedReply:
            request, characters = read_embed(msg.data)
            asked = self._asked(call, request, characters)

            async def use(server: ModelServer, name: str) -> Embedded:
                return await server.backend.embed(name, request)

            async def ask(reservation: Reservation) -> Outcome[Embedded]:
                return await self.answering.ask(asked, [], use, lambda: False)

            def spent(outcome: Outcome[Embedded]) -> Spent:
                return outcome.spent(outcome.value.prompt_tokens, 0)

            kept = await self.accounting.booked(asked.ticket, request, ask, spent)
            outcome, cached = kept.value, kept.cached
            return EmbedReply(
                model=request.model,
                embeddings=outcome.value.vectors,
                answered_by=outcome.target,
                prompt_tokens=outcome.value.prompt_tokens,
                duration_us=call.microseconds(),
                queue_us=0 if cached else outcome.queue_us,
                cached=cached,
            )

        return await self._served("embed", msg, answer)

    async def models(self, msg: Msg) -> bytes:
        """List the approved models and the state of the model servers."""
        fresh = await self.fleet.current()
        return msgspec.json.encode(
            overview.of(self.settings.catalog, self.fleet, fresh, self.accounting.usage.scheduler)
        )

    async def _served(self, operation: Operation, msg: Msg, answer: Callable[[Call], Awaitable[Reply]]) -> bytes | None:
        body: bytes | None = None
        async with self.readers.reading(msg) as reader:
            call = Call(operation, msg.headers or {}, reader, self.settings)
            try:
                with self.room.taken(len(msg.data)):
                    body = self._encoded(await answer(call))
            except AIFailure as failure:
                log.info("%s: %s", failure.code, failure.message)
                if not call.booked:
                    await self.accounting.usage.finished(call.ticket(), Spent(), failure)
                raise
            if reader.streaming:
                await reader.final(body)
                body = None
        return body

    async def _spoken(
        self, call: Call, asked: Asked, needs: Sequence[str], begin: Begin[Spoke], request: Spoke
    ) -> tuple[Outcome[Spoken], bool]:
        """The answer, and whether it is another request's."""
        reader = call.reader

        whose = asked.ticket.plugin or f"\0{asked.ticket.caller}"

        async def ask(reservation: Reservation) -> Outcome[Spoken]:
            await self.checker.check_schema(request.format, whose)
            progress = Progress()

            async def use(server: ModelServer, name: str) -> Spoken:
                progress.begun = True
                left = reservation.left(progress.output_tokens)
                if left is not None and left <= 0:
                    raise AIFailure(
                        f"a model server broke off after {progress.output_tokens:,} tokens, and there may be no more",
                        AIErrorCode.BUDGET_EXCEEDED,
                    )
                reservation.shortened = progress.output_tokens > 0
                if request.format is not None:
                    return await self._formed(request, reservation, progress, partial(begin, server, name), whose)
                on_text = reader.piece if reader.streaming else None
                wanted = bounded(request, left)
                return await spoken(begin(server, name, wanted, reader.streaming), progress, on_text)

            try:
                outcome = await self.answering.ask(asked, needs, use, lambda: reader.begun)
            except BaseException as error:
                # A model that was stopped has worked; one that could not be asked has not.
                if progress.output_tokens or (progress.begun and isinstance(error, asyncio.CancelledError)):
                    reservation.used(progress.prompt_tokens or None, progress.output_tokens)
                raise
            # Servers that broke off have worked, too.
            worked = replace(
                outcome.value, prompt_tokens=progress.prompt_tokens or 0, output_tokens=progress.output_tokens
            )
            return replace(outcome, value=worked)

        def spent(outcome: Outcome[Spoken]) -> Spent:
            return outcome.spent(outcome.value.prompt_tokens, outcome.value.output_tokens)

        kept = await self.accounting.booked(asked.ticket, request, ask, spent)
        if reader.streaming and not reader.begun:
            # It had to be whole before anybody gets it: to be checked, or because another request had it made.
            await reader.piece(kept.value.value.text)
        return kept.value, kept.cached

    async def _formed(
        self,
        request: Spoke,
        reservation: Reservation,
        progress: Progress,
        begin: Callable[[Spoke, bool], Answer],
        whose: str,
    ) -> Spoken:
        async def ask(wanted: Spoke) -> Spoken | None:
            left = reservation.left(progress.output_tokens)
            if left is not None and left <= 0:
                return None
            return await spoken(begin(bounded(wanted, left), False), progress)

        return await formed(self.checker, request, ask, whose)

    def _encoded(self, reply: Reply) -> bytes:
        body = msgspec.json.encode(reply)
        if len(body) > self.nc.max_payload:
            raise AIFailure(
                f"the answer has {len(body):,} bytes, NATS takes {self.nc.max_payload:,}: ask for less at once",
                AIErrorCode.REFUSED,
            )
        return body

    def _asked(self, call: Call, request: GenerateRequest | ChatRequest | EmbedRequest, characters: int) -> Asked:
        targets = self.settings.catalog.resolve(request.model)
        most = most_output_tokens(request.options)
        if most is not None and not isinstance(request, EmbedRequest) and request.format is not None:
            most *= TRIES
        ticket = call.ticket(
            request.model,
            targets[0],
            prompt_characters=characters,
            most_output_tokens=most,
            cache=request.cache and (call.operation == "embed" or repeatable(request.options)),
        )
        call.booked = True
        return Asked(ticket, targets)
