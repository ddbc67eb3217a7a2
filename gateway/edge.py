"""What every request passes first: its id, the access log, and the last net for errors."""

import logging
import re
import secrets
import time
from collections.abc import Awaitable, Callable

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway.bodies import ClientGone
from gateway.replies import detail_reply, error_reply, http_problem, problem, wants_problem
from schemas.errors import RuntimeFault, WasmForgeError

log = logging.getLogger(__name__)
access = logging.getLogger("gateway.access")

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,128}")


class Edge:
    """Outermost ASGI application."""

    def __init__(self, app: ASGIApp, *, access_log: bool = False) -> None:
        self._app = app
        self._access_log = access_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        # Makes the router raise for unknown paths and methods, so that all errors are shaped here.
        scope["app"] = self
        request_id = _request_id(scope)
        status = 0
        started = time.perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", request_id)]
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except ClientGone:
            status = 499
        except Exception as error:
            if not isinstance(error, HTTPException | WasmForgeError):
                log.exception("request %s: %s %s failed", request_id.decode(), scope["method"], scope["path"])
            if status:
                raise
            await _shape(error, scope)(scope, receive, send_with_id)
        finally:
            if self._access_log:
                took_ms = (time.perf_counter() - started) * 1000
                client = scope.get("client") or ("-", 0)
                access.info(
                    "%s %s %r %d %.1f ms %s",
                    client[0], scope["method"], scope["path"], status, took_ms, request_id.decode(),
                )  # fmt: skip


def _request_id(scope: Scope) -> bytes:
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _REQUEST_ID.fullmatch(value):
            sane: bytes = value
            return sane
    return secrets.token_hex(16).encode()


def _shape(error: Exception, scope: Scope) -> Callable[[Scope, Receive, Send], Awaitable[None]]:
    """``error`` as this route reports errors."""
    if isinstance(error, HTTPException):
        message = str(error.detail)
        if error.status_code == 404:
            message = f"there is nothing at {scope['path']}; /docs shows what there is"
        if wants_problem(scope):
            return http_problem(error.status_code, str(error.detail), message, error.headers)
        return detail_reply(str(error.detail), error.status_code, error.headers)
    if not isinstance(error, WasmForgeError):
        error = RuntimeFault("the gateway failed, its log says why")
    if wants_problem(scope):
        body, headers = problem(error)
        reply = Response(body, error.http_status)
        reply.raw_headers = headers
        return reply
    return error_reply(error)
