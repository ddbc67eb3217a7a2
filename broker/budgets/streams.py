"""The JetStream streams that hold the counters: one for each kind of window, so that each forgets in its own time."""

import msgspec
import nats.errors
from nats.aio.client import Client

from schemas import subjects

KEPT_SECONDS = {"minute": 150, "day": 90_000, "execution": 3_600}
"""A counter is forgotten so long after it was last changed, which must be after its window has ended."""

_MOST_COUNTERS = 500_000
"""Of each kind; callers can call themselves what they want."""

_API_SECONDS = 5.0
_NAME_IN_USE = 10058


class _Error(msgspec.Struct):
    description: str = ""
    err_code: int = 0


class _Created(msgspec.Struct):
    error: _Error | None = None


class StreamsAway(Exception):
    """JetStream can't be used; the text says why."""


class StreamsGone(StreamsAway):
    """The streams are not there (any more)."""

    def __init__(self) -> None:
        super().__init__("the streams of the budgets are not there")


def stream_name(window: str) -> str:
    """The stream of the counters of this kind of window."""
    return f"WASMFORGE_BUDGETS_{window.upper()}"


async def create_streams(nc: Client) -> None:
    """Make the streams that are not there. One that an operator has changed stays as it is.

    Raises:
        StreamsAway: it does not work.
    """
    for window, seconds in KEPT_SECONDS.items():
        config = {
            "name": stream_name(window),
            "description": "WasmForge: what is used of budgets",
            "subjects": [f"{subjects.BUDGETS}.{window}.>"],
            "storage": "file",
            "max_age": seconds * 10**9,
            "duplicate_window": 10**9,
            "max_msgs": _MOST_COUNTERS,
            "max_msgs_per_subject": 1,
            "allow_msg_counter": True,
            "allow_direct": True,
            "num_replicas": 1,
        }
        try:
            reply = await nc.request(
                f"$JS.API.STREAM.CREATE.{stream_name(window)}", msgspec.json.encode(config), timeout=_API_SECONDS
            )
            created = msgspec.json.decode(reply.data, type=_Created)
        except nats.errors.NoRespondersError:
            raise StreamsAway("NATS runs without JetStream") from None
        except (nats.errors.Error, TimeoutError) as error:
            raise StreamsAway(f"JetStream does not answer ({type(error).__name__})") from None
        except msgspec.MsgspecError:
            raise StreamsAway("JetStream answers what is not JSON") from None
        if created.error is not None and created.error.err_code != _NAME_IN_USE:
            raise StreamsAway(f"JetStream refuses: {created.error.description}")
