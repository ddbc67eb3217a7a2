"""What a request is expected to cost: how long it will hold its place at a model server."""

from broker.ticket import Ticket

_FIRST_SECONDS_A_UNIT = 0.1
_WEIGHT = 0.1
"""How much the latest request counts for what the next is expected to cost."""

_USUAL_OUTPUT_TOKENS = 256
_MOST_OUTPUT_TOKENS = 1024
"""An answer's bound is seldom reached; one beyond this says nothing more about its cost."""


def units(ticket: Ticket) -> float:
    """The size of a request, in something that is roughly proportional to its cost."""
    size = 1 + ticket.prompt_characters / 1000
    if ticket.operation != "embed":
        bound = ticket.most_output_tokens
        size += min(_USUAL_OUTPUT_TOKENS if bound is None else bound, _MOST_OUTPUT_TOKENS) / 128
    return size


class Costs:
    """Seconds that requests take, learned by model."""

    def __init__(self) -> None:
        self._seconds_a_unit: dict[str, float] = {}

    def expected_seconds(self, ticket: Ticket) -> float:
        """For this request, as far as earlier ones tell."""
        return units(ticket) * self._seconds_a_unit.get(ticket.target, _FIRST_SECONDS_A_UNIT)

    def learn(self, ticket: Ticket, seconds: float) -> None:
        """This request has taken so long."""
        found = seconds / units(ticket)
        known = self._seconds_a_unit.get(ticket.target)
        self._seconds_a_unit[ticket.target] = found if known is None else known + _WEIGHT * (found - known)
