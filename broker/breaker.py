"""When a model server that fails is left alone, and when it is tried again."""

from collections.abc import Callable

FAILURES_IN_A_ROW = 3
"""Answers to so many plugins have to fail, with none that is good between, before the server is taken out."""

FAILURES_ON_TRIAL = 2
"""The same for one that was let in and has not answered since. Two, so that it is in no single plugin's hand."""

FIRST_OUT_SECONDS = 0.5
LONGEST_OUT_SECONDS = 30.0


class Breaker:
    """Of one server. ``clock`` gives seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._failed_for: set[str] = set()
        self._on_trial = False
        self._out_seconds = 0.0
        self._until: float | None = None

    @property
    def open(self) -> bool:
        """Whether the server is taken out."""
        return self._until is not None

    def failed_to_answer(self, plugin: str) -> bool:
        """It can be reached and did not answer a request, for which the request may be to blame.

        Args:
            plugin: whose request it was; it counts once, whatever it asks. Empty: nobody's, who are counted as one.

        Returns:
            Whether the server is taken out because of it.
        """
        if self.open:
            return False
        self._failed_for.add(plugin)
        if len(self._failed_for) < (FAILURES_ON_TRIAL if self._on_trial else FAILURES_IN_A_ROW):
            return False
        return self.failed()

    def failed(self) -> bool:
        """It can't be reached, or does not answer its check: no request is to blame for that.

        Returns:
            Whether the server is taken out because of it.
        """
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
        self._failed_for.clear()
        self._on_trial, self._out_seconds = False, 0.0
        return was_open

    def probed(self) -> bool:
        """It answered the question for its models, which proves less than an answer of a model.

        Returns:
            Whether the server is let in because of it; then it is on trial until it answers a request.
        """
        if self._until is None or self._clock() < self._until:
            return False
        self._until = None
        self._failed_for.clear()
        self._on_trial = True
        return True
