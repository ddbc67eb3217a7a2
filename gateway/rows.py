"""What columns of the database say, as the API says it."""

from datetime import UTC, datetime

import msgspec

from schemas.limits import Limits


def rfc3339(moment: datetime) -> str:
    """A moment in RFC 3339, UTC."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def read_limits(text: str) -> Limits:
    """The limits of a revision."""
    return msgspec.json.decode(text, type=Limits)
