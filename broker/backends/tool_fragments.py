"""Calls of tools that come in fragments, as OpenAI's API sends them."""

from dataclasses import dataclass
from typing import Any

import msgspec

from broker.backends.endpoint import UNREADABLE, Endpoint
from schemas.ai import ToolCall

MAX_CALLS = 64
MAX_CHARACTERS = 256 * 1024


@dataclass
class _Call:
    id: str | None = None
    name: str = ""
    arguments: str = ""


class ToolFragments:
    """Puts them together."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint
        self._calls: dict[int, _Call] = {}
        self._characters = 0

    def add(self, index: int, call_id: str | None, name: str, arguments: str) -> None:
        """The next fragment of the call of this number.

        Raises:
            AIFailure: there are more than anybody needs.
        """
        self._characters += len(name) + len(arguments)
        call = self._calls.setdefault(index, _Call())
        if len(self._calls) > MAX_CALLS or self._characters > MAX_CHARACTERS:
            raise self._endpoint.broken("it calls tools without end")
        call.id = call.id or call_id
        call.name += name
        call.arguments += arguments

    def whole(self) -> tuple[ToolCall, ...]:
        """All calls, in the order of their numbers.

        Raises:
            AIFailure: the arguments of one are not a JSON object.
        """
        return tuple(ToolCall(call.name, self._read(call), call.id) for _, call in sorted(self._calls.items()))

    def _read(self, call: _Call) -> dict[str, Any]:
        try:
            return msgspec.json.decode(call.arguments or "{}", type=dict[str, Any])
        except UNREADABLE:
            raise self._endpoint.broken("a tool is called with arguments that are no JSON object") from None
