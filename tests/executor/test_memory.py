"""Linear memory apart from WasmEdge: every way back to the snapshot is exact, every access is within bounds."""

import ctypes
import mmap
import os
import random
from collections.abc import Iterator

import pytest

from executor.sandbox.frames import PAGE_BYTES
from executor.sandbox.memory import _MAX_REGIONS, KEPT_BYTES, GuestMemory, OutOfBounds

PAGES = 256
SIZE = PAGES * PAGE_BYTES
HOST_PAGE = mmap.PAGESIZE


class Area:
    """Memory of this process that plays the guest's, with a pattern in it and a wide hole."""

    def __init__(self) -> None:
        self._mapping = mmap.mmap(-1, SIZE)
        self._exported = (ctypes.c_char * SIZE).from_buffer(self._mapping)
        self.pages = PAGES
        self.memory = GuestMemory(ctypes.addressof(self._exported), lambda: self.pages)
        pattern = random.Random(1).randbytes(SIZE // 4)
        self.memory.write(0, pattern)
        self.memory.write(SIZE - 1000, pattern[:1000])
        self.memory.snapshot()
        self.original = self.now()

    def now(self) -> bytes:
        """All of it."""
        return self.memory.read(0, SIZE)

    def kept_bytes(self) -> int | None:
        """How much is private to this process now; None where the kernel can't tell."""
        written = self.memory._scan()
        return None if written is None else sum(end - start for start, end in written)


@pytest.fixture(params=["copied back", "dropped"])
def area(request: pytest.FixtureRequest) -> Iterator[Area]:
    """An area whose kernel can, or can't, tell which pages were written."""
    made = Area()
    if request.param == "copied back":
        made.memory.watch(os.open("/proc/self/pagemap", os.O_RDONLY | os.O_CLOEXEC), os.memfd_create("spare"))
        if made.kept_bytes() is None:
            pytest.skip("this kernel has no PAGEMAP_SCAN")
    return made


def test_a_snapshot_changes_nothing(area: Area) -> None:
    assert area.original[: SIZE // 4] == random.Random(1).randbytes(SIZE // 4)
    area.memory.restore()
    assert area.now() == area.original


@pytest.mark.parametrize(
    "length", [1, HOST_PAGE, 10 * HOST_PAGE, KEPT_BYTES, KEPT_BYTES + HOST_PAGE, SIZE], ids=lambda n: f"{n} bytes"
)
def test_every_write_is_undone(area: Area, length: int) -> None:
    for start in {0, (SIZE - length) // 2, SIZE - length}:
        area.memory.write(start, b"\xee" * length)
        assert area.now() != area.original
        area.memory.restore()
        assert area.now() == area.original


def test_a_second_snapshot_is_what_is_restored_from_then_on() -> None:
    area = Area()
    area.memory.watch(os.open("/proc/self/pagemap", os.O_RDONLY | os.O_CLOEXEC), os.memfd_create("spare"))
    draw = random.Random(3)
    for _ in range(200):
        area.memory.write(draw.randrange(SIZE - 100), draw.randbytes(100))
    area.memory.keep()
    kept = area.now()
    assert kept != area.original
    for length in (1, HOST_PAGE, SIZE // 2):
        for _ in range(5):
            area.memory.write(draw.randrange(SIZE - length), b"\xee" * length)
        assert area.now() != kept
        area.memory.restore()
        assert area.now() == kept


def test_a_second_snapshot_needs_no_new_kernel() -> None:
    area = Area()
    area.memory.watch(os.open("/proc/self/pagemap", os.O_RDONLY | os.O_CLOEXEC), os.memfd_create("spare"))
    area.memory._can_scan = False
    area.memory.write(5000, b"second snapshot")
    area.memory.keep()
    kept = area.now()
    area.memory.write(4000, b"\xee" * HOST_PAGE)
    area.memory.restore()
    assert area.now() == kept


def test_random_writes_are_undone_again_and_again(area: Area) -> None:
    draw = random.Random(2)
    for _ in range(50):
        for _ in range(draw.randrange(1, 60)):
            area.memory.write(draw.randrange(SIZE - 3 * HOST_PAGE), draw.randbytes(draw.randrange(1, 3 * HOST_PAGE)))
        area.memory.restore()
        assert area.now() == area.original


def test_more_scattered_writes_than_can_be_listed_are_undone(area: Area) -> None:
    scattered = range(0, SIZE, 2 * HOST_PAGE)
    assert len(scattered) > _MAX_REGIONS
    for address in scattered:
        area.memory.write(address, b"\xee")
    area.memory.restore()
    assert area.now() == area.original


def test_little_is_kept_between_calls(area: Area) -> None:
    if area.kept_bytes() is None:
        pytest.skip("this kernel can't tell")
    area.memory.write(0, b"x" * HOST_PAGE)
    area.memory.restore()
    assert area.kept_bytes() == HOST_PAGE
    area.memory.write(0, b"x" * (KEPT_BYTES + HOST_PAGE))
    area.memory.restore()
    assert area.kept_bytes() == 0


def test_reading_makes_no_page_private(area: Area) -> None:
    area.now()
    assert not area.kept_bytes()


def test_memory_that_grew_can_not_be_put_back(area: Area) -> None:
    assert not area.memory.grown()
    area.pages += 1
    assert area.memory.grown()
    with pytest.raises(OutOfBounds, match="has grown"):
        area.memory.restore()
    area.pages -= 1


@pytest.mark.parametrize(
    ("address", "length"), [(SIZE, 1), (SIZE - 1, 2), (0, SIZE + 1), (0xFFFF_FFFF, 1), (0xFFFF_FFFF, 0xFFFF_FFFF)]
)
def test_nothing_outside_is_read_or_written(area: Area, address: int, length: int) -> None:
    with pytest.raises(OutOfBounds):
        area.memory.read(address, length)
    if length <= 2:
        with pytest.raises(OutOfBounds):
            area.memory.write(address, bytes(length))
    assert area.now() == area.original


def test_the_edges_are_inside(area: Area) -> None:
    area.memory.write(SIZE - 1, b"!")
    assert area.memory.read(SIZE - 1, 1) == b"!"
    assert area.memory.read(SIZE, 0) == b""
    area.memory.write(SIZE, b"")
