"""One request as its message shows it, before anything of it was read."""

import asyncio
import time
from collections.abc import Mapping

from broker.readers import Reader
from broker.settings import Settings
from broker.ticket import Operation, Origin, Ticket
from schemas import headers

_REPLY_SHARE = 0.02
"""Part of the time that is kept back, so that a late answer is told before its caller gives up..."""
_REPLY_MS = 250
"""... but never more than this."""


class Call:
    """Who asks, who reads, and since when.

    Args:
        operation: what is asked for.
        given: headers of the request.
        reader: who waits for the answer.
        settings: say how long a request may take.
    """

    def __init__(self, operation: Operation, given: Mapping[str, str], reader: Reader, settings: Settings) -> None:
        self.operation = operation
        self.reader = reader
        self.booked = False
        """Whether the request is counted by what becomes of it."""
        self._origin = Origin.read(given)
        self._seconds = _timeout_seconds(given, settings)
        self._deadline = asyncio.get_running_loop().time() + self._seconds
        self._arrived = time.perf_counter()

    def microseconds(self) -> int:
        """Since the request came."""
        return round((time.perf_counter() - self._arrived) * 1e6)

    def ticket(
        self,
        model: str = "",
        target: str = "",
        *,
        prompt_characters: int = 0,
        most_output_tokens: int | None = None,
        cache: bool = False,
    ) -> Ticket:
        """As far as it is known by now: for whom, until when; the rest once it has been read."""
        return Ticket(
            operation=self.operation,
            model=model,
            target=target,
            deadline=self._deadline,
            seconds=self._seconds,
            plugin=self._origin.plugin,
            caller=self._origin.caller,
            execution_id=self._origin.execution_id,
            prompt_characters=prompt_characters,
            most_output_tokens=most_output_tokens,
            stream=self.reader.streaming,
            cache=cache,
        )


def _timeout_seconds(given: Mapping[str, str], settings: Settings) -> float:
    text = given.get(headers.TIMEOUT_MS, "")
    if text.isascii() and text.isdecimal() and len(text) < 16:
        asked_ms = min(int(text), settings.longest_timeout_ms)
    else:
        asked_ms = settings.default_timeout_ms
    return (asked_ms - min(_REPLY_MS, asked_ms * _REPLY_SHARE)) / 1000
