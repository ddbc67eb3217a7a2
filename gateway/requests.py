"""Reading what JSON requests say."""

from typing import TypeVar

import msgspec
from starlette.types import Scope

from gateway.streams import wants_stream
from schemas.errors import InvalidInput

Shape = TypeVar("Shape")


def read_json(body: bytes, shape: type[Shape]) -> Shape:
    """The body of a request.

    Raises:
        InvalidInput: it is not JSON of this shape; the message says where.
    """
    try:
        return msgspec.json.decode(body, type=shape)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"the request's JSON is not as it should be: {error}; /docs shows the shape") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"the request's body must be JSON: {error}") from None


def accepts_stream(scope: Scope) -> bool:
    """Whether the caller prefers a stream of events."""
    return any(name == b"accept" and wants_stream(value) for name, value in scope["headers"])
