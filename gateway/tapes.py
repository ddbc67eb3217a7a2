"""``GET /api/executions/{id}/tape``: the tape of a recorded call, as its executor kept it in JetStream."""

import re

import nats.errors
import nats.js.errors
from starlette.requests import Request
from starlette.responses import Response

from gateway.inbox import Inbox
from schemas import subjects
from schemas.errors import NotFound, Unavailable
from schemas.tapes import STREAM

_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_SECONDS = 5.0


class TapeShelf:
    """Finds tapes."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox

    async def get(self, execution_id: str) -> bytes:
        """The tape of an execution, as JSON.

        Raises:
            NotFound: there is none (any more).
            Unavailable: JetStream is away.
        """
        if _ID.fullmatch(execution_id) is None:
            raise _none(execution_id)
        stream = self._inbox.connection().jetstream(timeout=_SECONDS)
        try:
            # Directly: any other way it would be a third longer, and too long for one message.
            found = await stream.get_last_msg(STREAM, subjects.tape(execution_id), direct=True)
        except nats.js.errors.NotFoundError:
            raise _none(execution_id) from None
        except nats.errors.NoRespondersError:
            await self._explain(execution_id)
            raise
        except (TimeoutError, nats.errors.Error, nats.js.errors.Error) as error:
            raise _away(error) from None
        return found.data or b""

    async def _explain(self, execution_id: str) -> None:
        """Nobody keeps tapes: because nothing was ever recorded, or because JetStream is away."""
        try:
            await self._inbox.connection().jetstream(timeout=_SECONDS).stream_info(STREAM)
        except nats.js.errors.NotFoundError:
            raise _none(execution_id) from None
        except (TimeoutError, nats.errors.Error, nats.js.errors.Error) as error:
            raise _away(error) from None
        raise _away(nats.errors.NoRespondersError())

    async def reply(self, request: Request) -> Response:
        """The route's handler."""
        execution_id: str = request.path_params["id"]
        tape = await self.get(execution_id)
        named = {"content-disposition": f'attachment; filename="{execution_id}.tape.json"'}
        # Input and output are strangers': never a page, never in a shared cache.
        safe = {"x-content-type-options": "nosniff", "cache-control": "no-store"}
        return Response(tape, media_type="application/json", headers=named | safe)


def _none(execution_id: str) -> NotFound:
    return NotFound(
        f"there is no tape of execution {execution_id[:64]!r}: a call is recorded if it asks for that "
        "(Wasmforge-Record: 1), and its tape is kept for seven days"
    )


def _away(error: Exception) -> Unavailable:
    return Unavailable(f"tapes can't be read: JetStream is away ({type(error).__name__})")
