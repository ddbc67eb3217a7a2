"""When a model server that fails is left alone, and when it is tried again."""

from collections.abc import Callable

FAILURES_IN_A_ROW = 3
"""So many answers may fail before the server is taken out; one that can't be reached is taken out at once."""

FIRST_OUT_SECONDS = 0.5
LONGEST_OUT_SECONDS = 30.0


class Breaker:
    """Of one server. ``clock`` gives seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failures = 0
        self._out_seconds = 0.0
        self._until: float | None = None

    @property
    def open(self) -> bool:
        """Whether the server is taken out."""
        return self._until is not None

    def failed(self, *, at_once: bool) -> bool:
        """A request failed because of the server.

        Returns:
            Whether the server is taken out because of it.
        """
        self._failures += 1
        if not at_once and self._failures < FAILURES_IN_A_ROW:
            return False
        was_open = self.open
        # Each time it fails again right after it was let in, it is out for twice as long.
        if not was_open:
            self._out_seconds = min(LONGEST_OUT_SECONDS, max(FIRST_OUT_SECONDS, 2 * self._out_seconds))
        self._until = self._clock() + self._out_seconds
        return not was_open

    def succeeded(self) -> bool:
        """It answered a request.

        Returns:
            Whether the server is let in because of it.
        """
        was_open, self._until = self.open, None
        self._failures, self._out_seconds = 0, 0.0
        return was_open

    def probed(self) -> bool:
        """It answered the question for its models, which proves less than an answer of a model.

        Returns:
            Whether the server is let in because of it; then one more failure takes it out again.
        """
        if self._until is None or self._clock() < self._until:
            return False
        self._until = None
        self._failures = FAILURES_IN_A_ROW - 1
        return True
