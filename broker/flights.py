"""Requests that a model server is answering, so that they can be called back when it is taken out."""

import asyncio
from collections.abc import Callable
from types import TracebackType

from schemas.errors import AIErrorCode, AIFailure


class Flight:
    """One request at one server, for the length of a block in the current task.

    Args:
        flights: those of the server.
        url: its address.
        movable: whether another server could still answer instead.
    """

    __slots__ = ("_called_back", "_cancelling", "_flights", "_movable", "_task", "_url")

    def __init__(self, flights: "set[Flight]", url: str, movable: Callable[[], bool]) -> None:
        self._flights = flights
        self._url = url
        self._movable = movable
        self._called_back = False

    def __enter__(self) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._cancelling = task.cancelling()
        self._flights.add(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._flights.discard(self)
        if self._called_back and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise AIFailure(f"the model server at {self._url} stopped answering", AIErrorCode.UNAVAILABLE) from error

    def call_back(self) -> None:
        """Its server is taken out. The block ends with `AIFailure` if another server could answer."""
        if not self._called_back and self._movable():
            self._called_back = True
            self._task.cancel()
