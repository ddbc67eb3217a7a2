"""What ``wasmforge deploy`` is given: a file, a zip, or a folder that becomes one."""

import os
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

from schemas.archive import check_names, check_path, pack, unpack
from schemas.errors import InvalidInput, TooLarge
from schemas.limits import MAX_ARCHIVE_BYTES, MAX_SOURCE_BYTES, MAX_UNPACKED_BYTES
from schemas.pluginfiles import MAINS, is_left_out, main_of, without_folder

STDIN = "-"


@dataclass(frozen=True)
class Source:
    """A plugin as it is on this machine."""

    name: str
    """What it is called here; empty on standard input."""
    content: bytes
    """What is sent: Python source, or a zip."""
    main: bytes
    """The source of the file that runs."""
    is_archive: bool


def read_source(given: str) -> Source:
    """Read a ``.py`` file, a ``.zip``, a folder or standard input.

    Raises:
        InvalidInput: it can't be read, or not be a plugin.
        TooLarge: it is over the limit.
    """
    path = Path(given)
    try:
        if given == STDIN:
            source = _bounded(given, sys.stdin.buffer.read(MAX_SOURCE_BYTES + 1))
            return Source("", source, source, is_archive=False)
        if path.is_dir():
            files = _folder(path)
            archive = pack(files)
            if len(archive) > MAX_ARCHIVE_BYTES:
                raise TooLarge(f"{given}, packed,", size_bytes=len(archive), limit_bytes=MAX_ARCHIVE_BYTES)
            return Source(path.resolve().name, archive, files[main_of(files)], is_archive=True)
        with path.open("rb") as stream:
            content = _bounded(given, stream.read(MAX_SOURCE_BYTES + 1))
    except OSError as error:
        raise InvalidInput(f"{given}: {error.strerror}") from None
    if path.suffix.lower() == ".zip":
        files = without_folder(unpack(content, is_left_out))
        return Source(path.stem, content, files[main_of(files)], is_archive=True)
    return Source(path.name.removesuffix(".py"), content, content, is_archive=False)


def _bounded(given: str, content: bytes) -> bytes:
    if len(content) > MAX_SOURCE_BYTES:
        raise TooLarge(given, size_bytes=None, limit_bytes=MAX_SOURCE_BYTES)
    return content


def _folder(root: Path) -> dict[str, bytes]:
    """All files in a folder but what no plugin needs. A link is followed to a file within the folder, nowhere else."""
    # Said before a home folder or a whole disk is read.
    if not any((root / main).is_file() for main in MAINS):
        raise InvalidInput(f"there is no {' and no '.join(MAINS)} in {root}: one of them is what runs")
    files: dict[str, bytes] = {}
    total = 0
    inside = root.resolve()
    for folder, folders, names in os.walk(root):
        here = Path(folder)
        folders[:] = sorted(name for name in folders if not is_left_out(name))
        for name in (*folders, *sorted(names)):
            file = here / name
            path = file.relative_to(root).as_posix()
            if is_left_out(path):
                continue
            if file.is_symlink() and (file.is_dir() or not file.resolve().is_relative_to(inside)):
                raise InvalidInput(f"{file} is a link out of the folder, or to a folder: put a copy in its place")
            if file.is_dir():
                continue
            if not stat.S_ISREG(file.stat().st_mode):
                raise InvalidInput(f"{file} is no ordinary file: take it out of the folder")
            check_path(path)
            total += file.stat().st_size
            if total > MAX_UNPACKED_BYTES:
                raise TooLarge(f"all of {root}", size_bytes=None, limit_bytes=MAX_UNPACKED_BYTES)
            files[path] = file.read_bytes()
    check_names(files)
    return files
