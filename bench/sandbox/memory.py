"""How much memory a sandbox process has for itself."""

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from bench.in_executor import Inside
from bench.sandbox.calls import DATA, EXPECTED, HEAVY, TRIVIAL
from bench.sandbox.figures import Figure
from executor.pool import Pool

MIB = 1024 * 1024
_FIELD = re.compile(r"^(Private_Clean|Private_Dirty):\s+(\d+) kB", re.MULTILINE)
_PAGE_TABLES = re.compile(r"^VmPTE:\s+(\d+) kB", re.MULTILINE)
_OWN_FILE = re.compile(r"/memfd:plugin")


@dataclass(frozen=True)
class Private:
    """Memory that would be free without this process, in bytes."""

    pages: int
    """Private pages (``/proc/PID/smaps_rollup``)."""
    file: int
    """Its own second snapshot, in a memory file that no other process has."""
    page_tables: int

    @property
    def total(self) -> int:
        """All of it."""
        return self.pages + self.file + self.page_tables


ONLY_ROOT = "not measured: only root may look into a sandbox process"


def private_of(pid: int) -> Private:
    """What a process has for itself.

    Raises:
        PermissionError: it is a sandbox process, and this is not root.
    """
    process = Path("/proc", str(pid))
    pages = sum(int(kib) for _, kib in _FIELD.findall((process / "smaps_rollup").read_text()))
    tables = sum(int(kib) for kib in _PAGE_TABLES.findall((process / "status").read_text()))
    return Private(pages * 1024, _own_file_bytes(process), tables * 1024)


def _own_file_bytes(process: Path) -> int:
    """By its descriptor as long as that is open, then through the mappings of it."""
    for descriptor in (process / "fd").iterdir():
        if _OWN_FILE.match(os.readlink(descriptor)):
            return os.stat(descriptor).st_blocks * 512
    for mapping in (process / "map_files").iterdir():
        if _OWN_FILE.match(os.readlink(mapping)):
            return os.stat(mapping).st_blocks * 512
    return 0


async def figures(pool: Pool) -> list[Figure]:
    """Of prepared, idle processes."""
    found = []
    for name, source in (("private memory, prepared and idle", TRIVIAL), ("  prepared and idle, heavy imports", HEAVY)):
        inside = Inside(pool, source, "idle")
        for _ in range(20):
            called = await inside.call(DATA, EXPECTED)
        try:
            private = private_of(called.pid)
        except PermissionError:
            print(f"{name}: {ONLY_ROOT}", file=sys.stderr)
            continue
        parts = (
            f"pages {private.pages / MIB:.1f}, second snapshot {private.file / MIB:.1f}, "
            f"page tables {private.page_tables / MIB:.1f}"
        )
        asked = {"asked": "6", "aim": "3", "most": 6.0} if source is TRIVIAL else {}
        found.append(Figure(name, private.total / MIB, "MiB", note=parts, **asked))  # type: ignore[arg-type]
    return found
