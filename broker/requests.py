"""Requests out of messages, checked. Whoever asks is a plugin, so nothing here is taken on trust."""

from typing import Any, TypeVar

import msgspec

from broker.messages import check_images, check_messages, check_tools
from broker.options import check_options
from broker.refusal import check_json, check_length, invalid, too_long
from schemas.ai import ChatRequest, EmbedRequest, GenerateRequest
from schemas.errors import AIErrorCode, AIFailure
from schemas.limits import MAX_EMBED_CHARACTERS, MAX_EMBED_TEXTS, MAX_IMAGES_BYTES, MAX_PROMPT_CHARACTERS

MAX_REQUEST_BYTES = MAX_IMAGES_BYTES * 4 // 3 + 1024 * 1024
MAX_SCHEMA_BYTES = 32 * 1024
MAX_SCHEMA_DEPTH = 32

T = TypeVar("T")


def read_generate(body: bytes) -> tuple[GenerateRequest, int]:
    """A prompt, and how many characters the model reads.

    Raises:
        AIFailure: says what is wrong and what would be right.
    """
    request = _decode(body, GenerateRequest)
    if not request.prompt.strip():
        raise invalid("the prompt is empty")
    check_length("prompt", request.prompt)
    check_length("system prompt", request.system or "")
    check_format(request.format)
    check_options(request.options or {})
    check_images(request.images or ())
    return request, len(request.prompt) + len(request.system or "")


def read_chat(body: bytes) -> tuple[ChatRequest, int]:
    """A conversation, and how many characters the model reads.

    Raises:
        AIFailure: says what is wrong and what would be right.
    """
    request = _decode(body, ChatRequest)
    characters = check_messages(request.messages) + check_tools(request.tools or ())
    check_format(request.format)
    check_options(request.options or {})
    return request, characters


def read_embed(body: bytes) -> tuple[EmbedRequest, int]:
    """Texts, and how many characters they have.

    Raises:
        AIFailure: says what is wrong and what would be right.
    """
    request = _decode(body, EmbedRequest)
    if not request.input:
        raise invalid("there are no texts")
    if len(request.input) > MAX_EMBED_TEXTS:
        raise invalid(f"there are {len(request.input):,} texts, the limit is {MAX_EMBED_TEXTS} at once")
    for text in request.input:
        if not text.strip():
            raise invalid("a text is empty")
        check_length("text", text)
    if (characters := sum(map(len, request.input))) > MAX_EMBED_CHARACTERS:
        raise too_long("request", characters, MAX_EMBED_CHARACTERS)
    check_options(request.options or {})
    return request, characters


def check_format(given: Any) -> None:
    """Refuse what is neither ``"json"`` nor an object of sensible size; whether that is a JSON schema,
    `checker.Checker` tells.

    Raises:
        AIFailure: says what a format may be.
    """
    if given is None or given == "json":
        return
    if not isinstance(given, dict):
        raise invalid('format must be "json" or a JSON schema (an object)')
    check_json("format is a schema", given, MAX_SCHEMA_BYTES, MAX_SCHEMA_DEPTH)


def _decode(body: bytes, kind: type[T]) -> T:
    if len(body) > MAX_REQUEST_BYTES:
        raise AIFailure(
            f"the request has {len(body):,} bytes, a prompt may have {MAX_PROMPT_CHARACTERS:,} characters",
            AIErrorCode.PROMPT_TOO_LONG,
        )
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise invalid(f"the request can't be read: {error}") from None
    except RecursionError:
        raise invalid("the request is nested too deep") from None
