"""What a plugin asks for while it runs: models, one request or many, whole answers or streams; counted, and passed on.

generate  {model, prompt, …}             text
chat      {model, messages, …}           {role, content, tool_calls}
embed     {model, input}                 vectors
map       {model, prompts, fail_fast, …} [{ok, value} or {ok, error, code}, …], in parallel
stream    arguments of generate or chat  {stream}; then
next      {stream}                       {text, done}, at last with the whole reply; waits for some text
close     {stream}                       the model stops
models    {}                             the list of models
"""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, TypeVar

import msgspec

from executor.ai_streams import AIStream, AIStreams, StreamRequest
from executor.ai_use import Use
from executor.asking import Asking
from executor.sandbox.frames import NOT_ON_TAPE
from schemas import subjects
from schemas.ai import (
    ChatReply,
    ChatRequest,
    EmbedReply,
    EmbedRequest,
    GenerateReply,
    GenerateRequest,
    Message,
    ModelsReply,
)
from schemas.errors import AIErrorCode, AIFailure, WasmForgeError
from schemas.limits import MAX_IMAGES_BYTES, MIB

log = logging.getLogger(__name__)

MAX_REQUEST_BYTES = MAX_IMAGES_BYTES * 4 // 3 + MIB
"""Longest request of a plugin, images and all."""
MAX_ANSWER_BYTES = 12 * MIB
"""Longest answer to one; a frame to the sandbox carries this."""
MAX_LISTS = 100
"""How often one execution may ask for the list of models."""
PARALLEL = 8
"""Prompts of one ``map`` that are asked at once."""
MAX_PROMPTS = 1_000

Outside = Callable[[], AbstractAsyncContextManager[None]]
"""Made around a wait for something outside of this process."""
Shape = TypeVar("Shape")
Answered = TypeVar("Answered", GenerateReply, ChatReply, EmbedReply)


# What is not looked at here stays as it came: megabytes of JSON made of empty lists would be fifty times as much in
# objects, and a request is held for as long as a model takes.
class _Request(msgspec.Struct, frozen=True):
    operation: str
    arguments: msgspec.Raw = msgspec.Raw(b"{}")


class _Streamed(msgspec.Struct, frozen=True):
    messages: msgspec.Raw = msgspec.Raw(b"")


class _Map(msgspec.Struct, frozen=True):
    model: str
    prompts: list[str]
    system: str | None = None
    format: msgspec.Raw = msgspec.Raw(b"null")
    options: msgspec.Raw = msgspec.Raw(b"null")
    images: list[str] | None = None
    cache: bool = False
    fail_fast: bool = False
    """The first prompt that fails ends the others; else each answer is there, or its error."""


class AICalls:
    """The AI side of one execution; use it in an ``async with``, which leaves nothing of it with the brokers.

    Args:
        limit: how many model calls it may make, failed ones included.
        forward: headers that travel on (plugin, caller, execution id, trace).
    """

    on_tape = NOT_ON_TAPE
    """Last part of `executor.sandbox.frames.TASK_HEADER`; it says what answers look like."""

    def __init__(self, broker: Asking, limit: int, forward: dict[str, str]) -> None:
        self._broker = broker
        self._limit = limit
        self._forward = forward
        self._lists = 0
        self._streams = AIStreams()
        self._deadline = 0.0
        self.use = Use()
        self.calls = 0
        self._waited_ns = 0
        self._waits_since_ns: int | None = None
        self.pieces = 0
        """How many requests were answered with a piece of a stream: as many as the model makes them."""
        self.last_failure: AIFailure | None = None

    @property
    def waited_us(self) -> int:
        """How long the execution has waited for answers, the one it may be waiting for included."""
        now_ns = time.perf_counter_ns()
        return (self._waited_ns + now_ns - (self._waits_since_ns or now_ns)) // 1000

    async def __aenter__(self) -> "AICalls":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._streams.close_all()

    async def answer(self, payload: bytes, deadline: float, outside: Outside = nullcontext) -> bytes:
        """The reply to a guest's request, never an exception: what failed is said in it.

        Args:
            payload: JSON as the guest sent it, which may be anything.
            deadline: loop time at which the execution ends.
            outside: entered while something outside is waited for.
        """
        self._waits_since_ns = started_ns = time.perf_counter_ns()
        self._deadline = deadline
        try:
            request = _read(payload)
            if self._at_once(request):
                value = await self._value(request)
            else:
                async with outside():
                    value = await self._value(request)
            answer = msgspec.json.encode({"ok": True, "value": value})
            if len(answer) > MAX_ANSWER_BYTES:
                size = f"the answer is {len(answer):,} bytes, a sandbox takes at most {MAX_ANSWER_BYTES:,}"
                raise AIFailure(f"{size}: ask for less at once", AIErrorCode.REFUSED)
            return answer
        except RecursionError:
            return msgspec.json.encode(self._failed(_bad("the request is too deeply nested")))
        except WasmForgeError as error:
            return msgspec.json.encode(self._failed(error))
        except Exception:
            # Without an answer the plugin would wait until its time is up.
            log.exception("a request of a plugin failed")
            text = "the platform failed to pass the request on; the executor's log says why"
            return msgspec.json.encode(self._failed(AIFailure(text, AIErrorCode.UNAVAILABLE)))
        finally:
            self._waited_ns += time.perf_counter_ns() - started_ns
            self._waits_since_ns = None

    def _at_once(self, request: _Request) -> bool:
        """Whether nothing has to be waited for."""
        if request.operation == "next":
            return self._streams.get(_convert(request, StreamRequest).stream).ready
        return request.operation in ("stream", "close")

    async def _value(self, request: _Request) -> object:
        match request.operation:
            case "generate":
                body = _body(request, GenerateRequest)
                return (await self._ask(subjects.AI_GENERATE, body, GenerateReply)).response
            case "chat":
                return _turn((await self._ask(subjects.AI_CHAT, _body(request, ChatRequest), ChatReply)).message)
            case "embed":
                return (await self._ask(subjects.AI_EMBED, _body(request, EmbedRequest), EmbedReply)).embeddings
            case "map":
                return await self._map(_convert(request, _Map))
            case "stream":
                return {"stream": await self._stream(request)}
            case "next":
                return await self._next(_convert(request, StreamRequest).stream)
            case "close":
                await self._streams.close(_convert(request, StreamRequest).stream)
                return None
            case "models":
                return await self._models()
        raise _bad(f"there is no operation {request.operation[:50]!r}")

    async def _models(self) -> object:
        self._lists += 1
        if self._lists > MAX_LISTS:
            raise AIFailure(f"models were listed {MAX_LISTS} times, which is enough", AIErrorCode.TOO_MANY_CALLS)
        data = await self._broker.ask(subjects.AI_MODELS, b"", self._forward, self._deadline)
        return _decode(data, ModelsReply).models

    async def _ask(self, subject: str, body: bytes, shape: type[Answered]) -> Answered:
        self._count()
        try:
            data = await self._broker.ask(subject, body, self._forward, self._deadline)
            reply = _decode(data, shape)
        except WasmForgeError:
            self.use.failed += 1
            raise
        self.use.add(reply)
        return reply

    async def _map(self, wanted: _Map) -> list[dict[str, Any]]:
        if len(wanted.prompts) > MAX_PROMPTS:
            raise _bad(f"{len(wanted.prompts):,} prompts, at most {MAX_PROMPTS:,} are allowed at once")
        left = max(0, self._limit - self.calls)
        if wanted.fail_fast and len(wanted.prompts) > left:
            raise AIFailure(
                f"{len(wanted.prompts)} prompts are more than the {left} AI calls that are left of {self._limit}",
                AIErrorCode.TOO_MANY_CALLS,
            )
        free = asyncio.Semaphore(PARALLEL)
        shared = ("system", "format", "options", "images", "cache")
        common: dict[str, Any] = {name: getattr(wanted, name) for name in shared}

        async def one(prompt: str) -> dict[str, Any]:
            async with free:
                try:
                    body = msgspec.json.encode(GenerateRequest(wanted.model, prompt, **common))
                    reply = await self._ask(subjects.AI_GENERATE, body, GenerateReply)
                except WasmForgeError as error:
                    if wanted.fail_fast:
                        raise
                    return self._failed(error)
                return {"ok": True, "value": reply.response}

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(one(prompt)) for prompt in wanted.prompts]
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None
        return [task.result() for task in tasks]

    async def _stream(self, request: _Request) -> int:
        self._count()
        chat = bool(bytes(_convert(request, _Streamed).messages))
        body = _body(request, ChatRequest if chat else GenerateRequest)
        subject, shape = (subjects.AI_CHAT, ChatReply) if chat else (subjects.AI_GENERATE, GenerateReply)
        stream = AIStream(self._broker, subject, body, self._forward, shape)
        try:
            return await self._streams.add(stream, self._deadline)
        except WasmForgeError:
            self.use.failed += 1
            raise

    async def _next(self, number: int) -> dict[str, Any]:
        stream = self._streams.get(number)
        try:
            text, last = await stream.next(self._deadline)
            if last is None:
                self.pieces += 1
                return {"text": text, "done": False}
            reply = _decode(last, stream.shape)
        except WasmForgeError:
            self.use.failed += 1
            await self._streams.close(number)
            raise
        await self._streams.close(number)
        self.use.add(reply)
        whole = msgspec.to_builtins(reply)
        if isinstance(reply, ChatReply):
            whole["message"] = _turn(reply.message)
        return {"text": text, "done": True, "reply": whole}

    def _count(self) -> None:
        self.calls += 1
        if self.calls > self._limit:
            raise AIFailure(
                f"this execution has made its {self._limit} AI calls; that is its limit", AIErrorCode.TOO_MANY_CALLS
            )

    def _failed(self, error: WasmForgeError) -> dict[str, Any]:
        failure = error if isinstance(error, AIFailure) else AIFailure(error.message, AIErrorCode.UNAVAILABLE)
        self.last_failure = failure
        answer: dict[str, Any] = {"ok": False, "error": failure.message, "code": failure.code}
        if error.retry_after_ms is not None:
            answer["retry_after_ms"] = error.retry_after_ms
        return answer


def _read(payload: bytes) -> _Request:
    if len(payload) > MAX_REQUEST_BYTES:
        raise _bad(f"the request is {len(payload):,} bytes, at most {MAX_REQUEST_BYTES:,} are allowed")
    try:
        return msgspec.json.decode(payload, type=_Request)
    except (msgspec.MsgspecError, ValueError) as error:
        raise _bad(f"the request can't be read: {error}") from None


def _convert(request: _Request, shape: type[Shape]) -> Shape:
    try:
        return msgspec.json.decode(request.arguments, type=shape)
    except (msgspec.MsgspecError, ValueError) as error:
        raise _bad(f"{request.operation}: {error}") from None


def _body(request: _Request, shape: type[Any]) -> bytes:
    """What a broker is sent: those of the arguments that it knows."""
    return msgspec.json.encode(_convert(request, shape))


def _decode(data: bytes, shape: type[Shape]) -> Shape:
    try:
        return msgspec.json.decode(data, type=shape)
    except (msgspec.MsgspecError, ValueError) as error:
        raise AIFailure(f"the AI broker's answer can't be read: {error}", AIErrorCode.BROKEN_REPLY) from None


def _turn(message: Message) -> dict[str, Any]:
    """A model's turn as a plugin gets it, and may send it back: every key is there."""
    calls = [
        {"name": call.name, "arguments": call.arguments} | ({} if call.id is None else {"id": call.id})
        for call in message.tool_calls or ()
    ]
    return {"role": message.role, "content": message.content, "tool_calls": calls}


def _bad(text: str) -> AIFailure:
    return AIFailure(text, AIErrorCode.INVALID_PROMPT)
