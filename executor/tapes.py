"""Where tapes are kept: a stream of JetStream, for a week, the oldest dropped first when there are too many."""

import asyncio
import logging

import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.js.api import StreamConfig

from executor.execution import Outcome
from executor.tape import NoTape, RecordedCalls
from schemas import headers, subjects
from schemas.messages import PluginRevision
from schemas.tapes import KEPT_SECONDS, STREAM, STREAM_BYTES

log = logging.getLogger(__name__)

_KEEP_SECONDS = 2.0
_HEADER_ROOM_BYTES = 4096
_AWAY = (nats.errors.Error, nats.js.errors.Error, TimeoutError, asyncio.TimeoutError)


class Tapes:
    """Keeps the tapes of one executor's calls."""

    def __init__(self, nc: Client) -> None:
        self._nc = nc
        self._js = nc.jetstream(timeout=_KEEP_SECONDS)

    async def keep(
        self, execution_id: str, recorded: RecordedCalls, plugin: PluginRevision, data: bytes, outcome: Outcome
    ) -> str:
        """Keep the tape of an execution that is over; returns what its reply says of that (`schemas.headers.TAPE`)."""
        room = self._nc.max_payload - _HEADER_ROOM_BYTES
        try:
            tape = recorded.tape(execution_id, plugin, data, outcome)
            if len(tape) > room:
                raise NoTape(f"it is {len(tape):,} bytes, NATS here carries at most {room:,}")
            async with asyncio.timeout(_KEEP_SECONDS):
                try:
                    await self._js.publish(subjects.tape(execution_id), tape)
                except nats.js.errors.NoStreamResponseError:
                    await self._js.add_stream(_stream())
                    await self._js.publish(subjects.tape(execution_id), tape)
        except _AWAY as error:
            return _lost(execution_id, f"JetStream does not keep it ({type(error).__name__})")
        except NoTape as error:
            return _lost(execution_id, str(error))
        return headers.TAPE_KEPT


def _lost(execution_id: str, why: str) -> str:
    log.warning("the tape of execution %s is not kept: %s", execution_id, why)
    return f"{headers.TAPE_LOST}: {why}"


def _stream() -> StreamConfig:
    return StreamConfig(
        name=STREAM,
        description="Recorded calls, see docs/replay.md",
        subjects=[subjects.TAPES],
        max_age=KEPT_SECONDS,
        max_bytes=STREAM_BYTES,
        max_msgs_per_subject=1,
        allow_direct=True,
    )
