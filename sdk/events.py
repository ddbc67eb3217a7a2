"""What a streamed call tells as it goes on, read from server-sent events."""

import base64
import binascii
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import msgspec

from schemas.errors import RuntimeFault, from_wire
from schemas.http import StreamDone

MAX_EVENT_BYTES = 64 * 1024 * 1024
"""More than any output can become as JSON; what is larger is not from a gateway."""


@dataclass(frozen=True)
class Output:
    """The next piece of output; all pieces, one after the other, are the output a plain call returns."""

    data: bytes

    @property
    def text(self) -> str:
        """The piece as UTF-8; what is not becomes U+FFFD."""
        return self.data.decode("utf-8", "replace")


@dataclass(frozen=True)
class Log:
    """What the plugin printed."""

    text: str


@dataclass(frozen=True)
class Done:
    """The last event of a call that succeeded."""

    execution_id: str
    phases_us: dict[str, int]
    ai_calls: int = 0
    ai_prompt_tokens: int = 0
    ai_output_tokens: int = 0


Event = Output | Log | Done


async def read_events(chunks: AsyncIterator[bytes]) -> AsyncIterator[Event]:
    """Events of a call out of its ``text/event-stream``, cut anywhere.

    Raises:
        WasmForgeError: the call failed, or the stream ended before its last event.
    """
    name = ""
    data: list[str] = []
    async for line in _lines(chunks):
        if not line:
            if data:
                event = _event(name, "\n".join(data))
                if event is not None:
                    yield event
                if isinstance(event, Done):
                    return
            name, data = "", []
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            name = value
        elif field == "data":
            data.append(value)
    raise RuntimeFault("the stream ended before the call did: the gateway was stopped, or a proxy cut it")


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[str]:
    # Not httpx's own aiter_lines: it also cuts at U+2028 and other characters that may stand inside a JSON string.
    parts: list[bytes] = []
    size = 0
    async for chunk in chunks:
        *ends, rest = chunk.split(b"\n")
        for end in ends:
            parts.append(end)
            yield b"".join(parts).removesuffix(b"\r").decode("utf-8", "replace")
            parts.clear()
            size = 0
        parts.append(rest)
        size += len(rest)
        if size > MAX_EVENT_BYTES:
            raise RuntimeFault(f"the gateway sent an event of more than {MAX_EVENT_BYTES:,} bytes")


def _event(name: str, data: str) -> Event | None:
    try:
        if name == "output":
            return Output(_bytes(msgspec.json.decode(data)))
        if name == "log":
            return Log(msgspec.json.decode(data, type=str))
        if name == "done":
            done = msgspec.json.decode(data, type=StreamDone)
        else:
            return None  # a later version's event
    except (msgspec.MsgspecError, binascii.Error) as error:
        raise RuntimeFault(f"the gateway sent a broken {name!r} event: {error}") from None
    if not done.success:
        failure = from_wire(done.error_type or "", done.error or "the call failed", done.code)
        failure.execution_id = done.execution_id
        raise failure
    used = (done.ai_calls, done.ai_prompt_tokens, done.ai_output_tokens)
    return Done(done.execution_id, done.phases, *used)


def _bytes(value: Any) -> bytes:
    # Output that is not UTF-8 can't be a JSON string; it comes as {"base64": "…"}.
    if isinstance(value, dict):
        return base64.b64decode(value.get("base64", ""), validate=True)
    return str(value).encode("utf-8", "replace")
