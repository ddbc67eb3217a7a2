"""What the command prints: results to standard output, everything else to standard error."""

import shutil
import sys
from collections.abc import Sequence

import msgspec


def put_bytes(data: bytes) -> None:
    """Write to standard output as it is, at once."""
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def put_json(value: object) -> None:
    """Write to standard output as indented JSON."""
    put_bytes(msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")


def put_line(text: str) -> None:
    """Write a line to standard output."""
    put_bytes(text.encode("utf-8", "replace") + b"\n")


def put_table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Write aligned columns; on a terminal the last column is cut so that a row is a line."""
    cells = [[_one_line(cell) for cell in row] for row in (titles, *rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(len(titles))]
    columns = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    for row in cells:
        line = "  ".join([cell.ljust(width) for cell, width in zip(row, widths, strict=True)]).rstrip()
        put_line(line[: columns - 1] + "…" if 0 < columns < len(line) else line)


def complain(text: str) -> None:
    """Write an error to standard error."""
    _to_stderr(f"wasmforge: {text.rstrip()}\n")


def put_log(text: str) -> None:
    """Write what a plugin printed to standard error."""
    _to_stderr(text)


def _to_stderr(text: str) -> None:
    # What a plugin wrote must not steer somebody's terminal (colours, titles, the clipboard).
    if sys.stderr.isatty():
        text = "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in text)
    sys.stderr.flush()
    sys.stderr.buffer.write(text.encode("utf-8", "replace"))
    sys.stderr.buffer.flush()


def _one_line(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in " ".join(text.split()))
