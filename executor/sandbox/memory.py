"""The guest's linear memory: a snapshot that every call starts from, and safe access to it from the host.

Linear memory is a private mapping of the snapshot, so a page that a call writes becomes a private copy. There are two
ways back, both exact:

- drop every copy (``madvise``), so that the next access shows the snapshot again: cheap to say, but each page costs a
  fault (about 3 µs in a virtual machine) in the next call, written or only read;
- ask the kernel which pages are private copies (``PAGEMAP_SCAN``, Linux 6.7) and copy the snapshot over these alone:
  nothing faults any more, because a plugin writes about the same pages every time.

The second is taken where the kernel offers it and a call wrote no more than `KEPT_BYTES`.

A second snapshot (`keep`) is a difference to the first: the pages written since go into a file of their own, which is
mapped over the first one at these places. Mapping takes longer than all else of it, and the pages are as they should be
until the first call has written to them, so it waits for the first `restore`, when nobody waits for an answer.
"""

import array
import ctypes
import fcntl
import mmap
import os
import struct
from collections.abc import Callable
from typing import Final

from executor.sandbox.frames import PAGE_BYTES

KEPT_BYTES: Final = 4 * 1024 * 1024
"""Most private memory a process keeps between two calls."""

_MAP_PRIVATE: Final = 0x02
_MAP_FIXED: Final = 0x10
_READ: Final = 0x1
_READ_WRITE: Final = 0x1 | 0x2
_CHUNK: Final = 1 << 16
_GAP_BYTES: Final = 2 * mmap.PAGESIZE

# linux/fs.h: struct pm_scan_arg, struct page_region.
PAGEMAP_SCAN: Final = 0xC0606610
_SCAN: Final = struct.Struct("<12Q")
_REGION_BYTES: Final = 24
_MAX_REGIONS: Final = 1024
_IS_FILE: Final = 1 << 2
_IS_PRESENT: Final = 1 << 3
_IS_SWAPPED: Final = 1 << 4

_PAGE_PRESENT: Final = 1 << 63
_PAGE_SWAPPED: Final = 1 << 62
_PAGE_OF_FILE: Final = 1 << 61


class OutOfBounds(Exception):
    """A guest named an address outside its memory."""


class GuestMemory:
    """Linear memory of one instance.

    Args:
        address: where it begins in this process.
        pages: () → its current size in 64 KiB pages. It can only grow.
    """

    def __init__(self, address: int, pages: Callable[[], int]) -> None:
        self._address = address
        self._pages = pages
        self._size = pages() * PAGE_BYTES
        self._snapshot_size = 0
        self._snapshot_address = 0
        self._whole = memoryview(b"")
        self._pagemap: int | None = None
        self._spare = -1
        self._to_map: list[tuple[int, int, int]] = []
        """What `keep` left for the first `restore`: address, end and position in the spare file."""
        self._can_scan = True
        self._regions = (ctypes.c_uint64 * (3 * _MAX_REGIONS))()
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._libc.mmap.restype = ctypes.c_void_p
        self._libc.mmap.argtypes = (
            ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long,
        )  # fmt: skip
        self._libc.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)

    def read(self, address: int, length: int) -> bytes:
        """A copy of ``length`` bytes.

        Raises:
            OutOfBounds: not all of them are in the guest's memory.
        """
        self._check(address, length)
        return ctypes.string_at(self._address + address, length)

    def write(self, address: int, data: bytes) -> None:
        """Write ``data``.

        Raises:
            OutOfBounds: it would not fit into the guest's memory.
        """
        self._check(address, len(data))
        ctypes.memmove(self._address + address, data, len(data))

    def snapshot(self, file: int | None = None) -> None:
        """Make the memory as it is now what `restore` brings back; ``file``: an empty memory file to keep it in.

        All mappings are private: a shared one could be made writable by whoever takes over a process, and the pages are
        those of every other process too.
        """
        self._size = self._pages() * PAGE_BYTES
        # SAFETY: linear memory stays where it is and never shrinks.
        self._whole = whole = memoryview((ctypes.c_char * self._size).from_address(self._address)).cast("B")
        if file is None:
            file = os.memfd_create("guest")
        try:
            os.ftruncate(file, self._size)
            for start in range(0, self._size, _CHUNK):
                chunk = bytes(whole[start : start + _CHUNK])
                # What was never written stays a hole, which costs nothing.
                if chunk.count(0) != len(chunk):
                    os.pwrite(file, chunk, start)
            self._snapshot_address = self._map(None, self._size, _READ, _MAP_PRIVATE, (file, 0))
            # SAFETY: the range is WasmEdge's own linear memory, all of it committed, and no other thread exists; the
            # new mapping shows the same bytes at the same place, copy-on-write.
            self._map(self._address, self._size, _READ_WRITE, _MAP_PRIVATE | _MAP_FIXED, (file, 0))
        finally:
            os.close(file)
        self._snapshot_size = self._size

    def watch(self, pagemap: int, spare: int) -> None:
        """Find written pages through a descriptor of the process's own ``/proc/self/pagemap`` (-1: there is none); keep
        the second snapshot in ``spare``, an empty memory file: later no file can be made."""
        self._pagemap = pagemap if pagemap >= 0 else None
        self._spare = spare

    def restore(self) -> None:
        """Undo every write since `snapshot`.

        Raises:
            OutOfBounds: the memory has grown, which can't be undone.
        """
        if self.grown():
            raise OutOfBounds("the guest's memory has grown")
        self._map_kept()
        written = self._scan()
        if written is None or sum(end - start for start, end in written) > KEPT_BYTES:
            # SAFETY: MADV_DONTNEED on a private file mapping drops our copies; the next access reads the file again.
            if self._libc.madvise(self._address, self._snapshot_size, mmap.MADV_DONTNEED):
                raise OSError(ctypes.get_errno(), "madvise of the guest's memory")
            return
        offset = self._snapshot_address - self._address
        # SAFETY: these ranges are inside the mapping, and the snapshot is mapped whole beside it.
        for start, end in written:
            ctypes.memmove(start, start + offset, end - start)

    def keep(self) -> None:
        """Make the memory as it is now, in this process, what `restore` brings back; to be called once."""
        if self.grown():
            # A difference can't be larger than what it differs from.
            self.snapshot(self._spare)
            return
        written = self._scan()
        ranges = _joined(self._read_pagemap() if written is None else written)
        position = 0
        for start, end in ranges:
            os.pwrite(self._spare, self._whole[start - self._address : end - self._address], position)
            self._to_map.append((start, end, position))
            position += end - start

    def grown(self) -> bool:
        """Whether the memory is larger than the snapshot."""
        return self._pages() * PAGE_BYTES != self._snapshot_size

    def _map_kept(self) -> None:
        """Put the pages of the second snapshot in their places, over whatever a call has made of them."""
        if not self._to_map:
            return
        offset = self._snapshot_address - self._address
        for start, end, position in self._to_map:
            # SAFETY: both ranges are whole pages of mappings that are ours, and no guest code is running.
            self._map(start, end - start, _READ_WRITE, _MAP_PRIVATE | _MAP_FIXED, (self._spare, position))
            self._map(start + offset, end - start, _READ, _MAP_PRIVATE | _MAP_FIXED, (self._spare, position))
        self._to_map.clear()
        os.close(self._spare)

    def _scan(self) -> list[tuple[int, int]] | None:
        """The ranges (address of the first byte, of the one after the last) that are private copies; None if the kernel
        can't tell."""
        if self._pagemap is None or not self._can_scan:
            return None
        # Private copies are the pages that are there and do not belong to the file.
        request = bytearray(
            _SCAN.pack(
                _SCAN.size, 0, self._address, self._address + self._snapshot_size, 0,
                ctypes.addressof(self._regions), _MAX_REGIONS, 0,
                _IS_FILE, _IS_FILE, _IS_PRESENT | _IS_SWAPPED, 0,
            )
        )  # fmt: skip
        try:
            count = fcntl.ioctl(self._pagemap, PAGEMAP_SCAN, request)
        except OSError:
            self._can_scan = False  # a kernel before 6.7
            return None
        if count >= _MAX_REGIONS:
            return None  # the list may be cut off
        regions = self._regions[: 3 * count]
        return list(zip(regions[0::3], regions[1::3], strict=True))

    def _read_pagemap(self) -> list[tuple[int, int]]:
        """The same ranges, slowly, page by page (Documentation/admin-guide/mm/pagemap.rst)."""
        if self._pagemap is None:
            raise OSError("without /proc/self/pagemap there is no second snapshot")
        first, count = self._address // mmap.PAGESIZE, self._snapshot_size // mmap.PAGESIZE
        entries = array.array("Q")
        entries.frombytes(os.pread(self._pagemap, count * entries.itemsize, first * entries.itemsize))
        pages = [
            self._address + i * mmap.PAGESIZE
            for i, entry in enumerate(entries)
            if entry & (_PAGE_PRESENT | _PAGE_SWAPPED) and not entry & _PAGE_OF_FILE
        ]
        return [(page, page + mmap.PAGESIZE) for page in pages]

    def _map(self, address: int | None, length: int, protection: int, flags: int, source: tuple[int, int]) -> int:
        """mmap(2); ``source`` is a descriptor and a position in its file."""
        mapped = self._libc.mmap(address, length, protection, flags, *source)
        if mapped is None or mapped == ctypes.c_void_p(-1).value or (address is not None and mapped != address):
            raise OSError(ctypes.get_errno(), "mmap of the guest's memory")
        return int(mapped)

    def _check(self, address: int, length: int) -> None:
        if address + length > self._size:
            self._size = self._pages() * PAGE_BYTES
            if address + length > self._size:
                raise OutOfBounds(f"{address:#x} + {length:#x}")


def _joined(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same ranges with the small gaps between them filled, since each costs the kernel a mapping."""
    joined: list[tuple[int, int]] = []
    for start, end in ranges:
        if joined and start - joined[-1][1] <= _GAP_BYTES:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined
