"""Enough of the WebAssembly binary format (core specification 1.0, section 5) to look at a module from outside."""

from collections.abc import Iterator

TYPE, IMPORT, EXPORT, CUSTOM = 1, 2, 7, 0
_I32, _I64 = 0x7F, 0x7E
_LETTERS = {_I32: "i", _I64: "I"}

Signature = tuple[str, str]
"""Parameters and results, ``i`` for 32 bits and ``I`` for 64."""


class Reader:
    """Reads numbers and names one after the other."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.position = 0

    def byte(self) -> int:
        """One byte."""
        self.position += 1
        return self._data[self.position - 1]

    def number(self) -> int:
        """An unsigned LEB128 number."""
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def take(self) -> bytes:
        """A vector of bytes."""
        length = self.number()
        self.position += length
        return self._data[self.position - length : self.position]


def sections(module: bytes) -> Iterator[tuple[int, bytes]]:
    """(kind, content) of each section."""
    assert module[:8] == b"\0asm\1\0\0\0"
    reader = Reader(module)
    reader.position = 8
    while reader.position < len(module):
        kind = reader.byte()
        yield kind, reader.take()


def _only(module: bytes, wanted: int) -> Reader:
    (content,) = (content for kind, content in sections(module) if kind == wanted)
    return Reader(content)


def exports(module: bytes) -> dict[str, tuple[int, int]]:
    """Name → (kind, index)."""
    reader = _only(module, EXPORT)
    return {reader.take().decode(): (reader.byte(), reader.number()) for _ in range(reader.number())}


def imported_functions(module: bytes) -> dict[tuple[str, str], Signature]:
    """(module, name) → signature; fails on an import that is not a function."""
    reader = _only(module, TYPE)
    types: list[Signature] = []
    for _ in range(reader.number()):
        assert reader.byte() == 0x60
        parameters, results = reader.take(), reader.take()
        types.append(
            ("".join(_LETTERS.get(t, "?") for t in parameters), "".join(_LETTERS.get(t, "?") for t in results))
        )
    reader = _only(module, IMPORT)
    found = {}
    for _ in range(reader.number()):
        name = reader.take().decode(), reader.take().decode()
        assert reader.byte() == 0, f"{name} is not a function"
        found[name] = types[reader.number()]
    return found
