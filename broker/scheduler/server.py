"""What the scheduler has to know of a model server."""

from typing import Protocol


class Server(Protocol):
    """A model server. All of it may change at any time; `Scheduler.changed` is then to be called."""

    @property
    def url(self) -> str:
        """Its address, which tells it from others."""

    @property
    def healthy(self) -> bool:
        """Whether it may be asked."""

    @property
    def capacity(self) -> int:
        """Requests that it gets at once."""

    def has(self, model: str) -> bool:
        """Whether it can answer with this model."""

    def loaded(self, model: str) -> bool:
        """Whether it has the model in memory."""
