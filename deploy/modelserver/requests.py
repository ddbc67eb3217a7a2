"""What a client may send, as Ollama's API defines it. Fields that are not named here are ignored, as Ollama does."""

import asyncio
from typing import Any, Literal, TypeVar

import msgspec
from starlette.requests import Request

from deploy.modelserver import model
from deploy.modelserver.errors import ApiError, model_not_found

MAX_BODY_BYTES = 4 * 1024 * 1024
MAX_EMBED_INPUTS = 256
_BODY_SECONDS = 30.0


class GenerateRequest(msgspec.Struct):
    """``/api/generate``"""

    model: str = ""
    prompt: str = ""
    suffix: str | None = None
    system: str | None = None
    template: str | None = None
    context: list[int] | None = None
    stream: bool | None = None
    raw: bool | None = None
    format: Any = None
    images: list[Any] | None = None
    options: dict[str, Any] | None = None
    keep_alive: Any = None
    think: Any = None
    truncate: bool | None = None


class Message(msgspec.Struct):
    """A message of a chat."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str = ""
    images: list[Any] | None = None


class ChatRequest(msgspec.Struct):
    """``/api/chat``"""

    model: str = ""
    messages: list[Message] | None = None
    tools: list[Any] | None = None
    stream: bool | None = None
    format: Any = None
    options: dict[str, Any] | None = None
    keep_alive: Any = None
    think: Any = None
    truncate: bool | None = None


class EmbedRequest(msgspec.Struct):
    """``/api/embed``"""

    model: str = ""
    input: str | list[str] | None = None
    truncate: bool | None = None


class EmbeddingsRequest(msgspec.Struct):
    """``/api/embeddings``, the older form."""

    model: str = ""
    prompt: str = ""


class ShowRequest(msgspec.Struct):
    """``/api/show``"""

    model: str = ""
    name: str = ""
    verbose: bool | None = None


T = TypeVar("T")


async def read(request: Request, kind: type[T]) -> T:
    """The request's body as ``kind``.

    Raises:
        ApiError: 400, 408 or 413; says what is wrong.
    """
    body = bytearray()
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    raise ApiError(413, f"the request has more than {MAX_BODY_BYTES:,} bytes")
    except TimeoutError:
        raise ApiError(408, f"the request's body did not arrive within {_BODY_SECONDS:.0f} s") from None
    if not body.strip():
        raise ApiError(400, "missing request body")
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise ApiError(400, str(error) or "the request is nested too deep") from None


def check_model(name: str) -> None:
    """Refuse any model but the one that is here; a name without a tag means ``latest``.

    Raises:
        ApiError: 400 without a name, 404 for another model.
    """
    if not name:
        raise ApiError(400, "model is required")
    tagged = name if ":" in name.rpartition("/")[2] else f"{name}:latest"
    if tagged.lower() != model.NAME:
        raise model_not_found(name)


def refuse_what_the_model_lacks(*, suffix: object, images: object, tools: object, think: object) -> None:
    """Say so rather than ignore it, where a request needs what this model can't do.

    Raises:
        ApiError: 400.
    """
    for wanted, what in ((suffix, "insert"), (images, "images"), (tools, "tools"), (think, "thinking")):
        if wanted:
            raise ApiError(400, f'"{model.NAME}" does not support {what}')
