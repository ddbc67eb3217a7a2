"""How much memory the bodies of all requests together may take."""

from collections.abc import Iterator
from contextlib import contextmanager

from schemas.errors import AIErrorCode, AIFailure
from schemas.limits import MIB

MAX_BYTES = 256 * MIB
"""A request with images has megabytes, and a thousand may wait."""

_RETRY_MS = 1_000


class Room:
    """A bounded number of bytes."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self.taken_bytes = 0

    @contextmanager
    def taken(self, size_bytes: int) -> Iterator[None]:
        """Hold so many for the length of the block.

        Raises:
            AIFailure: ``busy``, there is no room.
        """
        if self.taken_bytes + size_bytes > self._max_bytes:
            raise AIFailure(
                f"the requests that this broker holds have {self.taken_bytes:,} bytes, the limit is "
                f"{self._max_bytes:,}: try again",
                AIErrorCode.BUSY,
                retry_after_ms=_RETRY_MS,
            )
        self.taken_bytes += size_bytes
        try:
            yield
        finally:
            self.taken_bytes -= size_bytes
