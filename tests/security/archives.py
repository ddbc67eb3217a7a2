"""Zips as nobody's tool makes them: written byte by byte, so that every lie can be told."""

import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

REGULAR, LINK, FIFO, DEVICE, FOLDER = 0o100644, 0o120777, 0o010644, 0o020644, 0o040755
_UTF8 = 1 << 11


@dataclass(frozen=True)
class Entry:
    """One entry; what is None is told truly.

    Args:
        listed: the name that the directory has, if it is another than the entry's own.
        at: where the directory says that it is.
    """

    name: bytes
    data: bytes = b""
    method: int = 8
    mode: int = REGULAR
    flags: int = _UTF8
    size: int | None = None
    packed_size: int | None = None
    crc: int | None = None
    listed: bytes | None = None
    extra: bytes = b""
    at: int | None = None


def make(entries: list[Entry], *, count: int | None = None, before: bytes = b"") -> bytes:
    """A zip of these entries."""
    body = bytearray(before)
    directory = bytearray()
    for entry in entries:
        packed = _packed(entry)
        size = len(entry.data) if entry.size is None else entry.size
        packed_size = len(packed) if entry.packed_size is None else entry.packed_size
        crc = zlib.crc32(entry.data) if entry.crc is None else entry.crc
        common = struct.pack("<HHHHHIII", 20, entry.flags, entry.method, 0, 33, crc, packed_size, size)
        at = len(body) if entry.at is None else entry.at
        body += b"PK\3\4" + common + struct.pack("<HH", len(entry.name), 0) + entry.name + packed
        listed = entry.name if entry.listed is None else entry.listed
        lengths = struct.pack("<HHHHHII", len(listed), len(entry.extra), 0, 0, 0, entry.mode << 16, at)
        directory += b"PK\1\2" + struct.pack("<H", 3 << 8 | 20) + common + lengths + listed + entry.extra
    number = len(entries) if count is None else count
    end = b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, number, number, len(directory), len(body), 0)
    return bytes(body + directory + end)


def zip_of(files: Mapping[str, bytes]) -> bytes:
    """An honest one."""
    return make([Entry(path.encode(), data) for path, data in files.items()])


def with_main(*entries: Entry) -> bytes:
    """A zip that would be a plugin but for these."""
    return make([Entry(b"plugin.py", b"x = 1\n"), *entries])


def overlapping() -> bytes:
    """Several names for the same bytes, as bombs have them."""
    content = Entry(b"a.txt", b"a" * 100)
    return make([content, replace(content, listed=b"b.txt", at=0), Entry(b"plugin.py", b"x = 1\n")])


def _packed(entry: Entry) -> bytes:
    if entry.method != 8:
        return entry.data
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(entry.data) + packer.flush()
