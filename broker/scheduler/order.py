"""Keys in the order of numbers that change."""

import heapq
from typing import Generic, TypeVar

Key = TypeVar("Key")

_SPARE_ENTRIES = 16


class Order(Generic[Key]):
    """A heap in which a changed number is a new entry; old ones are dropped when they come up. O(log n)."""

    def __init__(self) -> None:
        self._entries: list[tuple[float, int, Key]] = []
        self._current: dict[Key, int] = {}
        self._count = 0

    def __len__(self) -> int:
        return len(self._current)

    def __contains__(self, key: Key) -> bool:
        return key in self._current

    def put(self, key: Key, number: float) -> None:
        """Add a key, or give it another number; among equal numbers it comes last."""
        self._count += 1
        self._current[key] = self._count
        heapq.heappush(self._entries, (number, self._count, key))
        if len(self._entries) > 2 * len(self._current) + _SPARE_ENTRIES:
            self._entries = [entry for entry in self._entries if self._current.get(entry[2]) == entry[1]]
            heapq.heapify(self._entries)

    def drop(self, key: Key) -> None:
        """Take a key out."""
        del self._current[key]

    def first(self) -> Key:
        """The key with the least number; there must be one."""
        while True:
            _, count, key = self._entries[0]
            if self._current.get(key) == count:
                return key
            heapq.heappop(self._entries)
