"""What a plugin asks for while it runs: model calls and the list of models, counted, and passed on to a broker."""

import asyncio
import logging
import time
from typing import Any

import msgspec
from nats.aio.client import Client
from nats.errors import ConnectionClosedError, NoRespondersError
from nats.errors import TimeoutError as NatsTimeoutError

from schemas import bus, headers, subjects
from schemas.ai import GenerateReply, GenerateRequest, ModelsReply
from schemas.errors import AIErrorCode, AIFailure, WasmForgeError

log = logging.getLogger(__name__)

MAX_REQUEST_BYTES = 512 * 1024
"""Longest request of a plugin, prompt, options and all; every NATS server carries this."""
MAX_LISTS = 100
"""How often one execution may ask for the list of models."""


class _Request(msgspec.Struct, frozen=True):
    operation: str
    arguments: dict[str, Any] = {}


class AICalls:
    """The AI side of one execution.

    Args:
        limit: how many model calls it may make, failed ones included.
        forward: headers that travel on (execution id, caller, trace).
    """

    def __init__(self, nc: Client, limit: int, forward: dict[str, str]) -> None:
        self._nc = nc
        self._limit = limit
        self._forward = forward
        self._lists = 0
        self.calls = 0
        self.waited_us = 0

    async def answer(self, payload: bytes, deadline: float) -> bytes:
        """The reply to a guest's request, never an exception: what failed is said in it.

        Args:
            payload: JSON as the guest sent it, which may be anything.
            deadline: loop time at which the execution ends.
        """
        started_ns = time.perf_counter_ns()
        try:
            value = await self._value(payload, deadline)
            return msgspec.json.encode({"ok": True, "value": value})
        except RecursionError:
            text = "the request is too deeply nested"
            return msgspec.json.encode({"ok": False, "error": text, "code": AIErrorCode.INVALID_PROMPT})
        except WasmForgeError as error:
            code = error.code if isinstance(error, AIFailure) else AIErrorCode.UNAVAILABLE
            return msgspec.json.encode({"ok": False, "error": error.message, "code": code})
        except Exception:
            # Without an answer the plugin would wait until its time is up.
            log.exception("a request of a plugin failed")
            text = "the platform failed to pass the request on; the executor's log says why"
            return msgspec.json.encode({"ok": False, "error": text, "code": AIErrorCode.UNAVAILABLE})
        finally:
            self.waited_us += (time.perf_counter_ns() - started_ns) // 1000

    async def _value(self, payload: bytes, deadline: float) -> object:
        if len(payload) > MAX_REQUEST_BYTES:
            text = f"the request is {len(payload):,} bytes, at most {MAX_REQUEST_BYTES:,} are allowed"
            raise AIFailure(text, AIErrorCode.INVALID_PROMPT)
        try:
            request = msgspec.json.decode(payload, type=_Request)
        except (msgspec.MsgspecError, ValueError) as error:
            raise AIFailure(f"the request can't be read: {error}", AIErrorCode.INVALID_PROMPT) from None
        if request.operation == "generate":
            return await self._generate(request.arguments, deadline)
        if request.operation == "models":
            self._lists += 1
            if self._lists > MAX_LISTS:
                raise AIFailure(f"models were listed {MAX_LISTS} times, which is enough", AIErrorCode.TOO_MANY_CALLS)
            data = await self._ask(subjects.AI_MODELS, b"", deadline)
            return self._decode(data, ModelsReply).models
        raise AIFailure(f"there is no operation {request.operation[:50]!r}", AIErrorCode.INVALID_PROMPT)

    async def _generate(self, arguments: dict[str, Any], deadline: float) -> str:
        self.calls += 1
        if self.calls > self._limit:
            raise AIFailure(
                f"this execution has made its {self._limit} AI calls; that is its limit", AIErrorCode.TOO_MANY_CALLS
            )
        try:
            wanted = msgspec.convert(arguments, GenerateRequest)
        except msgspec.ValidationError as error:
            raise AIFailure(f"call_ai: {error}", AIErrorCode.INVALID_PROMPT) from None
        data = await self._ask(subjects.AI_GENERATE, msgspec.json.encode(wanted), deadline)
        reply: GenerateReply = self._decode(data, GenerateReply)
        return reply.response

    async def _ask(self, subject: str, body: bytes, deadline: float) -> bytes:
        left = deadline - asyncio.get_running_loop().time()
        if not self._nc.is_connected:
            raise AIFailure("the connection to the AI broker is down", AIErrorCode.UNAVAILABLE)
        request_headers = dict(self._forward)
        request_headers[headers.TIMEOUT_MS] = str(max(1, int(left * 1000)))
        try:
            reply = await bus.ask(self._nc, subject, body, timeout_seconds=max(0.001, left), headers=request_headers)
        except NoRespondersError:
            raise AIFailure("no AI broker is running", AIErrorCode.UNAVAILABLE) from None
        except (NatsTimeoutError, TimeoutError):
            raise AIFailure("the AI broker did not answer in time", AIErrorCode.TIMEOUT) from None
        except ConnectionClosedError:
            raise AIFailure("the connection to the AI broker is down", AIErrorCode.UNAVAILABLE) from None
        error = headers.get_error(reply.headers, reply.data)
        if error is not None:
            raise error
        return reply.data

    @staticmethod
    def _decode(data: bytes, kind: type[Any]) -> Any:
        try:
            return msgspec.json.decode(data, type=kind)
        except (msgspec.MsgspecError, ValueError) as error:
            raise AIFailure(f"the AI broker's answer can't be read: {error}", AIErrorCode.BROKEN_REPLY) from None
