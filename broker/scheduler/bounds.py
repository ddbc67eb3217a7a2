"""How much may run, wait and be preferred."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bounds:
    """Bounds of a `Scheduler`."""

    queued: int = 1024
    """Requests that wait, all together. If so many do, a newcomer takes the place of the plugin with the most."""
    queued_a_plugin: int = 256
    """Requests of one plugin that wait; those of no plugin count by caller."""
    a_model: int | None = None
    """Requests for one model that a model server gets at once; None: as many as the server takes."""
    turns_ahead: int = 4
    """So often a request whose model would have to be loaded is passed over by those whose model is there..."""
    seconds_ahead: float = 2.0
    """... or for so long; then it is its turn."""
