"""One call as it came over NATS: who waits for it, until when, and what its replies look like."""

import asyncio
import re
import time
import uuid
from dataclasses import dataclass, field

from nats.aio.msg import Msg

from schemas import headers, subjects
from schemas.errors import InvalidInput

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_MAX_TIMEOUT_MS = 24 * 3600 * 1000
_MIN_HEARTBEAT_MS = 100
_FORWARDED = (headers.CALLER, headers.TRACEPARENT)
_MAX_FORWARDED_CHARACTERS = 200


@dataclass
class Call:
    """A call and everything its caller said about it."""

    plugin: str
    data: bytes
    reply_to: str
    execution_id: str
    arrived_at: float
    """Loop time, which is good to a millisecond; for deadlines."""
    arrived_ns: int = 0
    """`time.perf_counter_ns`, for phases."""
    timeout_ms: int | None = None
    revision: str | None = None
    caller: str | None = None
    stream: bool = False
    record: bool = False
    """Whether a tape of it shall be kept."""
    tape: str | None = None
    """What its reply says of the tape."""
    heartbeat_seconds: float | None = None
    forward: dict[str, str] = field(default_factory=dict)
    """Headers that travel on to whatever is asked for the sake of this call."""


def read_call(msg: Msg, reply_to: str) -> Call:
    """A call out of a message, which may be anything.

    Raises:
        InvalidInput: a header or the subject can't be used; the message says which.
    """
    given = msg.headers or {}
    call = Call(
        plugin=subjects.plugin_of(msg.subject),
        data=msg.data,
        reply_to=reply_to,
        execution_id=_matching(given.get(headers.EXECUTION_ID), _ID, headers.EXECUTION_ID) or uuid.uuid4().hex,
        arrived_at=asyncio.get_running_loop().time(),
        arrived_ns=time.perf_counter_ns(),
        timeout_ms=_number(given.get(headers.TIMEOUT_MS), headers.TIMEOUT_MS, 1, _MAX_TIMEOUT_MS),
        revision=_matching(given.get(headers.REVISION), _DIGEST, headers.REVISION),
        stream=given.get(headers.STREAM) == "1",
        record=given.get(headers.RECORD) == "1",
        forward={
            name: value
            for name in _FORWARDED
            if (value := given.get(name)) and len(value) <= _MAX_FORWARDED_CHARACTERS and value.isprintable()
        },
    )
    call.caller = call.forward.get(headers.CALLER)
    call.forward[headers.EXECUTION_ID] = call.execution_id
    call.forward[headers.PLUGIN] = call.plugin
    heartbeat_ms = _number(given.get(headers.HEARTBEAT_MS), headers.HEARTBEAT_MS, _MIN_HEARTBEAT_MS, _MAX_TIMEOUT_MS)
    if heartbeat_ms is not None:
        call.heartbeat_seconds = heartbeat_ms / 1000
    return call


def _number(text: str | None, name: str, least: int, most: int) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal() and len(text) < 12 and least <= int(text) <= most):
        raise InvalidInput(f"header {name} is {text[:40]!r}, a whole number from {least} to {most} is needed")
    return int(text)


def _matching(text: str | None, pattern: re.Pattern[str], name: str) -> str | None:
    if text is None:
        return None
    if pattern.fullmatch(text) is None:
        raise InvalidInput(f"header {name} is {text[:80]!r}, it must match {pattern.pattern}")
    return text
