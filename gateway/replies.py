"""Answers in the API's two error shapes: RFC 9457 on ``/fn``, ``{"detail": …}`` as the original elsewhere."""

from collections.abc import Mapping

import msgspec
from starlette.responses import Response
from starlette.types import Scope

from schemas.errors import AIFailure, WasmForgeError
from schemas.http import Detail, Problem

FUNCTION_PREFIX = "/fn/"

_encode = msgspec.json.Encoder().encode

RawHeaders = list[tuple[bytes, bytes]]


class JSONReply(Response):
    """Any of the shapes of `schemas.http`."""

    media_type = "application/json"

    def render(self, content: object) -> bytes:
        return _encode(content)


def detail_reply(message: str, status: int, headers: Mapping[str, str] | None = None) -> Response:
    """An error as the original reports it."""
    return JSONReply(Detail(message), status_code=status, headers=headers)


def error_reply(error: WasmForgeError) -> Response:
    """``error`` as the original would report it."""
    return detail_reply(error.message, error.http_status, retry_after(error))


def retry_after(error: WasmForgeError) -> dict[str, str]:
    """Header that says when trying again makes sense."""
    return {} if error.retry_after_seconds is None else {"Retry-After": str(error.retry_after_seconds)}


def problem(
    error: WasmForgeError, execution_id: str | None = None, phases_us: dict[str, int] | None = None
) -> tuple[bytes, RawHeaders]:
    """Body and headers of ``error`` as RFC 9457 has it."""
    lines = error.message.strip().splitlines() or [error.title]
    body = _encode(
        Problem(
            type=f"urn:wasmforge:error:{error.error_type}",
            title=error.title,
            status=error.http_status,
            # Of a traceback the last line says the most; ``error`` has all of it.
            detail=lines[-1],
            error_type=str(error.error_type),
            error=error.message,
            execution_id=execution_id,
            retry_after_seconds=error.retry_after_seconds,
            phases_us=phases_us or None,
            code=str(error.code) if isinstance(error, AIFailure) else None,
        )
    )
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", str(len(body)).encode()),
        (b"wasmforge-error-type", str(error.error_type).encode()),
    ]
    if error.retry_after_seconds is not None:
        headers.append((b"retry-after", str(error.retry_after_seconds).encode()))
    return body, headers


def http_problem(status: int, title: str, message: str, headers: Mapping[str, str] | None = None) -> Response:
    """A problem of HTTP itself, such as a wrong method."""
    error_type = "not_found" if status == 404 else "invalid_input"
    shape = Problem(
        type="about:blank", title=title, status=status, detail=message, error_type=error_type, error=message
    )
    return JSONReply(shape, status_code=status, headers=headers, media_type="application/problem+json")


def wants_problem(scope: Scope) -> bool:
    """Whether this route reports errors as RFC 9457."""
    path: str = scope["path"]
    return path.startswith(FUNCTION_PREFIX)
