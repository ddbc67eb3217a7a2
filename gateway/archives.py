"""A zip that somebody uploads becomes the files of a plugin."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.forms import utf8
from schemas.archive import pack, unpack
from schemas.errors import InvalidInput
from schemas.limits import MAX_ARCHIVE_FILES, MAX_SOURCE_BYTES

MAINS = ("plugin.py", "__main__.py")
"""What the file is called that runs."""

_NATIVE = re.compile(r"\.(so|pyd|dylib|dll)(\.[0-9.]+)?$", re.IGNORECASE)
_LEFT_OUT = frozenset(("__pycache__", "__MACOSX", "Thumbs.db", "desktop.ini"))
_OURS = re.compile(r"(platform_sdk|_wasmforge)(\.py|/.*)")


@dataclass(frozen=True)
class PluginFiles:
    """The files of a plugin that came as a zip."""

    main: str
    """Path of the one that runs."""
    source: str
    """Its text."""
    files: Mapping[str, bytes]
    archive: bytes
    """All of them, packed so that nothing shows but paths and contents."""


def read_archive(content: bytes) -> PluginFiles:
    """What is in an uploaded zip, without what no plugin needs; blocks for as long as unpacking takes.

    Raises:
        InvalidInput: what is wrong with it, and what to do.
    """
    files = _without_folder(unpack(content, is_left_out))
    if len(files) > MAX_ARCHIVE_FILES:
        raise InvalidInput(f"the zip has {len(files):,} files, the limit is {MAX_ARCHIVE_FILES:,}")
    mains = [path for path in MAINS if path in files]
    if not mains:
        found = ", ".join(sorted(files)[:5]) or "nothing"
        raise InvalidInput(
            f"the zip has no plugin.py (or __main__.py) at its root or in its one folder; it has {found}"
        )
    if len(mains) > 1:
        raise InvalidInput("the zip has both plugin.py and __main__.py: keep the one that is to run")
    main = mains[0]
    for path in sorted(files):
        _check_use(path)
    source = utf8(files[main], main).removeprefix("\ufeff")
    if len(files[main]) > MAX_SOURCE_BYTES:
        raise InvalidInput(f"{main} is {len(files[main]):,} bytes, the limit is {MAX_SOURCE_BYTES:,} bytes")
    if not source.strip():
        raise InvalidInput(f"{main} is empty")
    return PluginFiles(main, source, files, pack(files))


def is_left_out(path: str) -> bool:
    """Whether a path is of no use to a plugin: caches, hidden files, what file managers leave."""
    return path.endswith((".pyc", ".pyo")) or any(part in _LEFT_OUT or part.startswith(".") for part in path.split("/"))


def _without_folder(files: dict[str, bytes]) -> dict[str, bytes]:
    """Zips of a folder hold that folder; what counts is what is in it."""
    tops = {path.partition("/")[0] for path in files}
    if len(tops) != 1 or not all("/" in path for path in files):
        return files
    return {path.partition("/")[2]: data for path, data in files.items()}


def _check_use(path: str) -> None:
    if _NATIVE.search(path):
        raise InvalidInput(
            f"{path} is native code, which a plugin can't load: use a pure-Python package, "
            "or delete the file if its package can do without"
        )
    if _OURS.fullmatch(path):
        raise InvalidInput(f"{path} would hide the platform's own module: delete it, plugins have it anyway")
