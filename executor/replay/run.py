"""One run of a tape: in the sandbox, as the call did, with the tape's clock, random numbers and answers."""

import asyncio
import functools
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any, cast

import msgspec
from nats.aio.client import Client

from executor.admission import Admission
from executor.ai import AICalls, Outside
from executor.asking import Asking
from executor.base import BaseProcess
from executor.execution import Execution, Outcome
from executor.kinds import CannotUse, kind_of
from executor.pool import Pool
from executor.prepared import prepared
from executor.sandbox.frames import REPLY_ON_TAPE
from executor.sandbox.world import Start
from executor.settings import INSECURE, Settings
from executor.tape import ending_of, json_of
from schemas.errors import DeadlineExceeded, ErrorType, InvalidInput, WasmForgeError, from_wire
from schemas.tapes import Exchange, Replayed, Tape, bytes_of, text_of

_ENDED_FROM_OUTSIDE = (ErrorType.TIMEOUT, ErrorType.CANCELLED)
_PATIENCE_SECONDS = 5.0
"""How long a call that was ended from outside is run again: it may be one that never ends."""
_MAX_SHOWN = 2_000


class ReplayedCalls(AICalls):
    """Answers as the tape has it.

    ``end`` must be set to what ends the execution before it runs.
    """

    def __init__(self, tape: Tape) -> None:
        super().__init__(cast(Asking, None), tape.plugin.limits.ai_calls, {})
        self._tape = tape
        self.on_tape = (tape.start.time_ns, tape.plugin.limits.timeout_ms * 1_000_000, tape.start.seed)
        self.end: Callable[[WasmForgeError], None]
        self.exchanges: list[Exchange] = []
        self.strayed: str | None = None

    async def answer(self, payload: bytes, _deadline: float, _outside: Outside = nullcontext) -> bytes:
        """As `AICalls.answer`, at once; a request that the tape has no answer to ends the execution."""
        number, request = len(self.exchanges), json_of(payload)
        recorded = self._tape.exchanges[number] if number < len(self._tape.exchanges) else None
        if recorded is None:
            self.exchanges.append(Exchange(request))
            return self._stray(f"request {number + 1} is not on the tape, which ends before it: {_shown(request)}")
        self.exchanges.append(Exchange(request, recorded.answer, recorded.waited_us))
        if recorded.request not in (None, request):
            return self._stray(
                f"request {number + 1} is not the one on the tape.\n"
                f"  asked:   {_shown(request)}\n  on tape: {_shown(recorded.request)}"
            )
        if recorded.answer is None:
            ending = self._tape.ending
            self.end(from_wire(ending.error_type, ending.error, ending.code) if ending else _cut_off())
            return b""
        self._count_piece(recorded.answer)
        return REPLY_ON_TAPE.pack(recorded.waited_us * 1000) + msgspec.json.encode(recorded.answer)

    def _count_piece(self, answer: Any) -> None:
        value = answer.get("value") if isinstance(answer, dict) else None
        if isinstance(value, dict) and value.get("done") is False:
            self.pieces += 1

    def _stray(self, text: str) -> bytes:
        self.strayed = text
        self.end(InvalidInput(text))
        return b""


async def replay(tape: Tape, settings: Settings) -> Replayed:
    """Run a tape again.

    Raises:
        CannotUse, BaseFailed: there is no sandbox here.
        InvalidInput: the tape can't be used.
    """
    if settings.sandbox == INSECURE:
        raise CannotUse("a tape can be replayed only in the sandbox: unset WASMFORGE_SANDBOX")
    pool = born(tape, settings)
    try:
        return await replay_in(pool, tape)
    finally:
        await pool.close()


def born(tape: Tape, settings: Settings) -> Pool:
    """Sandboxes for this tape, and for all with the same birth. They must be closed.

    Raises:
        CannotUse: there is no sandbox here.
    """
    birth = Start(tape.birth.time_ns, tape.birth.seed)
    boot = functools.partial(BaseProcess.boot, birth=birth)
    return Pool(settings.wasmedge, kind_of(settings).engine, boot)


async def replay_in(pool: Pool, tape: Tape) -> Replayed:
    """Run a tape again in sandboxes of its birth.

    Raises:
        BaseFailed: none can be had.
        InvalidInput: the tape can't be used.
    """
    ai = ReplayedCalls(tape)
    outcome = await _run(pool, tape, ai, bytes_of(tape.input))
    return Replayed(
        output=text_of(outcome.output),
        log=text_of(outcome.log),
        ending=ending_of(outcome.error),
        exchanges=ai.exchanges,
        strayed=ai.strayed,
        unasked=len(tape.exchanges) - len(ai.exchanges) if ai.strayed is None else 0,
    )


async def _run(pool: Pool, tape: Tape, ai: ReplayedCalls, data: bytes) -> Outcome:
    admission = Admission(cast(Client, None), slots=1, queue=0, outside=0)
    loop = asyncio.get_running_loop()
    seconds = tape.plugin.limits.timeout_ms / 1000
    if tape.ending is not None and tape.ending.error_type in _ENDED_FROM_OUTSIDE:
        seconds = min(seconds, _PATIENCE_SECONDS)
    with admission.wait() as place:
        await place.take_slot()
        try:
            async with prepared(pool, tape.plugin) as sandbox, ai:
                execution = Execution(sandbox, tape.plugin, ai, place)
                ai.end = execution.end
                late = _late(tape, seconds)
                return await execution.run(data, loop.time() + seconds, late)
        except WasmForgeError as error:
            return Outcome(error=error)


def _late(tape: Tape, seconds: float) -> DeadlineExceeded:
    if tape.ending is not None and tape.ending.error_type == ErrorType.TIMEOUT:
        return DeadlineExceeded(tape.ending.error)
    return DeadlineExceeded(f"the plugin did not end within {seconds:g} s and was ended")


def _cut_off() -> WasmForgeError:
    return InvalidInput("the tape ends in the middle of a request")


def _shown(value: Any) -> str:
    text = msgspec.json.encode(value).decode("utf-8", "replace")
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}… ({len(text):,} characters)"
