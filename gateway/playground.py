"""``POST /api/models/chat``: ask a model from the web page, answered whole or as it comes."""

import codecs

import msgspec
from starlette.types import Receive, Scope, Send

from gateway.bodies import Budget, read_body
from gateway.inbox import HEARTBEAT_MS, Inbox
from gateway.leaving import sent_or_left
from gateway.replies import JSONReply
from gateway.requests import accepts_stream, read_json
from gateway.streams import SSE_HEADERS, event
from gateway.waiters import ManyReplies, event_of, nobody_there, read_end
from schemas import headers, subjects
from schemas.ai import ChatReply, ChatRequest
from schemas.errors import AIFailure, RuntimeFault, WasmForgeError
from schemas.http import AnswerDone, AskModel
from schemas.inbox import is_nobody

MAX_REQUEST_BYTES = 512 * 1024
CALLER = "playground"
"""For whom the broker counts these requests."""
_SECONDS = 120.0
_GRACE_SECONDS = 1.0

_encode = msgspec.json.Encoder().encode


class ChatEndpoint:
    """The ASGI application behind ``/api/models/chat``."""

    def __init__(self, inbox: Inbox, budget: Budget) -> None:
        self._inbox = inbox
        self._budget = budget

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._budget.share() as share:
            body = await read_body(scope, receive, share, MAX_REQUEST_BYTES, "The request")
        asked = read_json(body, AskModel)
        request = _encode(ChatRequest(asked.model, asked.messages, options=asked.options))
        answer = _Answer(self._inbox, request)
        await sent_or_left(
            receive, answer.stream(send) if accepts_stream(scope) else answer.whole(scope, receive, send)
        )


class _Answer:
    """One request to the broker."""

    def __init__(self, inbox: Inbox, request: bytes) -> None:
        self._inbox = inbox
        self._request = request
        self._send: Send | None = None
        self._started = False

    async def whole(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the model's whole turn."""
        await JSONReply(await self._ask())(scope, receive, send)

    async def stream(self, send: Send) -> None:
        """Answer piece by piece; what fails before the first one raises."""
        self._send = send
        try:
            reply = await self._ask()
        except WasmForgeError as error:
            if not self._started:
                raise
            code = str(error.code) if isinstance(error, AIFailure) else None
            done = AnswerDone(False, error.message, str(error.error_type), code)
        else:
            done = AnswerDone(
                success=True,
                answered_by=reply.answered_by,
                prompt_tokens=reply.prompt_tokens,
                output_tokens=reply.output_tokens,
                duration_us=reply.duration_us,
                queue_us=reply.queue_us,
            )
        await self._write(event("done", _encode(done)), more=False)

    async def _ask(self) -> ChatReply:
        waiter = ManyReplies(_SECONDS + _GRACE_SECONDS, "the broker that asked the model")
        sent = {
            headers.TIMEOUT_MS: str(round(_SECONDS * 1000)),
            headers.HEARTBEAT_MS: HEARTBEAT_MS,
            headers.CALLER: CALLER,
        }
        if self._send is not None:
            sent[headers.STREAM] = "1"
        reply_to = await self._inbox.send(waiter, subjects.AI_CHAT, self._request, sent)
        try:
            return await self._read(waiter)
        finally:
            self._inbox.forget(reply_to)
            if not waiter.ended:
                await self._inbox.give_up(reply_to, subjects.AI_CANCEL)

    async def _read(self, waiter: ManyReplies) -> ChatReply:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        while True:
            msg = await waiter.next()
            if is_nobody(msg):
                raise nobody_there("no broker is running, so no model can be reached")
            kind = event_of(msg)
            if kind == headers.EVENT_OUTPUT and self._send is not None and (text := decoder.decode(msg.data)):
                await self._write(event(headers.EVENT_OUTPUT, _encode(text)))
            if kind is not None:
                continue
            end = read_end(msg)
            if end.error is not None:
                raise end.error
            try:
                return msgspec.json.decode(end.body, type=ChatReply)
            except msgspec.MsgspecError:
                raise RuntimeFault("the broker gave an answer that makes no sense") from None

    async def _write(self, data: bytes, *, more: bool = True) -> None:
        assert self._send is not None
        if not self._started:
            self._started = True
            await self._send({"type": "http.response.start", "status": 200, "headers": SSE_HEADERS})
        await self._send({"type": "http.response.body", "body": data, "more_body": more})
