"""The answer to a generation: one JSON object, or one a line while the model speaks."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec
from starlette.responses import JSONResponse, Response
from starlette.types import Message, Receive, Scope, Send

from deploy.modelserver import model
from deploy.modelserver.admission import Admission
from deploy.modelserver.engine import Piece
from deploy.modelserver.errors import ApiError

SEND_SECONDS = 30.0
"""A client that takes nothing for so long is as good as gone."""


class Prepared(NamedTuple):
    """A generation whose prompt is known."""

    prompt: list[int]
    pieces: AsyncGenerator[Piece, None]


@dataclass(frozen=True)
class Form:
    """How one of Ollama's routes writes its answer."""

    text: Callable[[str], dict[str, Any]]
    """The field that carries a piece of text."""
    stream: bool
    constrained: bool
    """The text has to be JSON."""
    with_context: bool = False
    """The last object carries the conversation's tokens."""


def created_at() -> str:
    """Now, as Ollama writes it."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def line(form: Form, text: str, **more: Any) -> dict[str, Any]:
    """One object of an answer."""
    return {"model": model.NAME, "created_at": created_at(), **form.text(text), "done": False, **more}


class Completion(Response):
    """Waits for a slot, generates, and sends; stops at once and frees the slot when the client goes."""

    def __init__(self, admission: Admission, prepare: Callable[[], Any], form: Form) -> None:
        super().__init__()
        self._admission = admission
        self._prepare = prepare
        self._form = form
        self._started_ns = time.perf_counter_ns()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI; the request's body has been read already, so all that can still come in is the client's leaving."""
        begun = False

        async def patient_send(message: Message) -> None:
            nonlocal begun
            begun = True
            async with asyncio.timeout(SEND_SECONDS):
                await send(message)

        work = asyncio.create_task(self._answer(scope, receive, patient_send))
        gone = asyncio.create_task(_until_gone(receive))
        closing = asyncio.create_task(self._admission.closing())
        try:
            await asyncio.wait((work, gone, closing), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (work, gone, closing):
                task.cancel()
            await asyncio.wait((work, gone, closing))
        # A client that takes nothing is left without a word; the server closes its connection.
        with suppress(TimeoutError):
            if not work.cancelled():
                work.result()
            elif not closing.cancelled():
                await _broken_off(begun, scope, receive, patient_send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        objects = self._objects()
        async with aclosing(objects):
            try:
                # Until the first object is there, an error still has a status of its own.
                first = await anext(objects)
            except ApiError as error:
                await JSONResponse({"error": error.message}, error.status)(scope, receive, send)
                return
            if self._form.stream:
                await _send_lines(first, objects, send)
                return
            try:
                whole = await self._joined(first, objects)
            except ApiError as error:
                await JSONResponse({"error": error.message}, error.status)(scope, receive, send)
                return
        await JSONResponse(whole)(scope, receive, send)

    async def _joined(self, first: dict[str, Any], rest: AsyncGenerator[dict[str, Any], None]) -> dict[str, Any]:
        texts, last = [_text(first)], first
        async for last in rest:
            texts.append(_text(last))
        return {**last, **self._form.text("".join(texts))}

    async def _objects(self) -> AsyncGenerator[dict[str, Any], None]:
        async with self._admission.slot():
            load_ns = time.perf_counter_ns() - self._started_ns
            prepared: Prepared = await self._prepare()
            tokens = list(prepared.prompt)
            text: list[str] = []
            async with aclosing(prepared.pieces) as pieces:
                async for piece in pieces:
                    tokens += piece.tokens
                    text.append(piece.text)
                    if not piece.done:
                        yield line(self._form, piece.text)
                        continue
                    self._check("".join(text), piece)
                    yield self._last(piece, tokens, load_ns)

    def _check(self, text: str, last: Piece) -> None:
        """llama.cpp generates freely, without a word, where it can't use a schema; nobody wants that as an answer."""
        if not self._form.constrained or last.reached_limit:
            return
        try:
            json.loads(text)
        except ValueError:
            raise ApiError(400, "invalid JSON schema in format") from None

    def _last(self, piece: Piece, tokens: list[int], load_ns: int) -> dict[str, Any]:
        counts: dict[str, Any] = {
            "done": True,
            "done_reason": "length" if piece.reached_limit else "stop",
            "total_duration": time.perf_counter_ns() - self._started_ns,
            "load_duration": load_ns,
            "prompt_eval_count": piece.prompt_tokens,
            "prompt_eval_duration": piece.prompt_ns,
            "eval_count": piece.output_tokens,
            "eval_duration": piece.output_ns,
        }
        if self._form.with_context:
            counts["context"] = tokens
        return line(self._form, piece.text, **counts)


def _text(written: dict[str, Any]) -> str:
    return str(written["response"] if "response" in written else written["message"]["content"])


async def _send_lines(first: dict[str, Any], rest: AsyncGenerator[dict[str, Any], None], send: Send) -> None:
    headers = [(b"content-type", b"application/x-ndjson")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    current: dict[str, Any] | None = first
    while current is not None:
        await send({"type": "http.response.body", "body": msgspec.json.encode(current) + b"\n", "more_body": True})
        try:
            current = await anext(rest, None)
        except ApiError as error:
            current = {"error": error.message}
    await send({"type": "http.response.body", "body": b""})


async def _broken_off(begun: bool, scope: Scope, receive: Receive, send: Send) -> None:
    error = {"error": "the server is stopping"}
    if begun:
        await send({"type": "http.response.body", "body": msgspec.json.encode(error) + b"\n"})
    else:
        await JSONResponse(error, 503)(scope, receive, send)


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
