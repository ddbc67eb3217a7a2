"""Puts a call on tape: all that it is given, in the order in which it is, and what it makes of it."""

import time
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import Any

import msgspec

from executor.ai import AICalls, Outside
from executor.asking import Asking
from executor.execution import Outcome
from executor.sandbox.frames import REPLY_ON_TAPE
from executor.sandbox.world import Start
from schemas import __version__
from schemas.errors import AIFailure, WasmForgeError
from schemas.messages import PluginRevision
from schemas.tapes import MAX_TAPE_BYTES, Ending, Exchange, Tape, TapeStart, binary, text_of, write_tape


class NoTape(Exception):
    """There is none; the message says why."""


class RecordedCalls(AICalls):
    """The AI side of an execution that is recorded.

    Args:
        birth: of the interpreter that it runs in.
    """

    def __init__(self, broker: Asking, limit: int, forward: dict[str, str], birth: Start) -> None:
        super().__init__(broker, limit, forward)
        self._birth = birth
        self._start = Start.now()
        self.on_tape = (self._start.time_ns, 0, self._start.seed)
        self._exchanges: list[Exchange] = []
        self._bytes = 0

    async def answer(self, payload: bytes, deadline: float, outside: Outside = nullcontext) -> bytes:
        """As `AICalls.answer`, with how long it was waited for before it."""
        started_ns = time.perf_counter_ns()
        number = len(self._exchanges)
        # Also if no answer comes any more.
        self._keep(Exchange(_raw(payload)), len(payload))
        answer = await super().answer(payload, deadline, outside)
        waited_us = (time.perf_counter_ns() - started_ns) // 1000
        if number < len(self._exchanges):
            asked = self._exchanges.pop()
            self._keep(Exchange(asked.request, _raw(answer), waited_us), len(answer))
        return REPLY_ON_TAPE.pack(waited_us * 1000) + answer

    def tape(self, execution_id: str, plugin: PluginRevision, data: bytes, outcome: Outcome) -> bytes:
        """The tape of the execution, when it is over.

        Raises:
            NoTape: it is too long.
        """
        tape = Tape(
            recorded_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            recorded_by=__version__,
            execution_id=execution_id,
            plugin=plugin,
            birth=TapeStart(*self._birth),
            start=TapeStart(*self._start),
            input=text_of(data),
            exchanges=self._exchanges,
            output=text_of(outcome.output),
            log=text_of(outcome.log),
            ending=ending_of(outcome.error),
        )
        written = b"" if self._bytes > MAX_TAPE_BYTES else write_tape(tape)
        if not written or len(written) > MAX_TAPE_BYTES:
            raise NoTape(f"it is over {MAX_TAPE_BYTES:,} bytes")
        return written

    def _keep(self, exchange: Exchange, size: int) -> None:
        self._bytes += size
        if self._bytes > MAX_TAPE_BYTES:
            self._exchanges.clear()
        else:
            self._exchanges.append(exchange)


def _raw(data: bytes) -> Any:
    """The same as `json_of` for who only writes it down; as objects it could take fifty times the memory."""
    try:
        data.decode()  # a string in it may be no text, which is not noticed otherwise
        return msgspec.json.decode(data, type=msgspec.Raw)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return binary(data)


def json_of(data: bytes) -> Any:
    """What JSON says, or the bytes themselves if they are none."""
    try:
        return msgspec.json.decode(data)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return binary(data)


def ending_of(error: WasmForgeError | None) -> Ending | None:
    """An error as a tape holds it."""
    if error is None:
        return None
    return Ending(str(error.error_type), error.message, str(error.code) if isinstance(error, AIFailure) else None)
