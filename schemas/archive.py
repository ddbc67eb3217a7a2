"""A plugin's files as a zip: made the same way by whoever makes it, and read as what a stranger made.

Nothing is unpacked before the whole directory of the archive has been looked at, and nothing is ever written to a disk.
"""

import io
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping

from schemas.errors import InvalidInput
from schemas.limits import (
    MAX_ARCHIVE_BYTES,
    MAX_ARCHIVE_FILES,
    MAX_ARCHIVE_RATIO,
    MAX_PATH_CHARACTERS,
    MAX_UNPACKED_BYTES,
    MIB,
)

_TIME = (1980, 1, 1, 0, 0, 0)
_ENCRYPTED, _PATCHED, _STRONGLY_ENCRYPTED, _UTF8 = 1 << 0, 1 << 5, 1 << 6, 1 << 11
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_LOCAL_HEADER = struct.Struct("<4s22xHH")
_LOCAL_SIGNATURE = b"PK\3\4"
_MAX_DIRECTORY = 4 * MAX_ARCHIVE_FILES
"""Entries of a directory, folders and what is left out included, that are worth being looked at."""


def pack(files: Mapping[str, bytes]) -> bytes:
    """A zip of ``files``, in which only their paths and contents show: sorted, all of one time."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path, data in sorted(files.items()):
            entry = zipfile.ZipInfo(path, _TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3
            entry.external_attr = (stat.S_IFREG | 0o644) << 16
            archive.writestr(entry, data)
    return buffer.getvalue()


def unpack(archive: bytes, leave_out: Callable[[str], bool] = lambda _: False) -> dict[str, bytes]:
    """All files of a zip that anybody may have made, by path. Folders have no entry.

    Args:
        leave_out: says of a path whether nobody wants that file.

    Raises:
        InvalidInput: what is wrong with it, and what to do.
    """
    if len(archive) > MAX_ARCHIVE_BYTES:
        raise InvalidInput(f"the zip is {len(archive):,} bytes, the limit is {MAX_ARCHIVE_BYTES:,} bytes")
    return _unpack(archive, leave_out, MAX_ARCHIVE_RATIO)


def unpack_own(archive: bytes) -> dict[str, bytes]:
    """All files of a zip that `pack` made, which may compress better than what it was made of.

    Raises:
        InvalidInput: it is none.
    """
    return _unpack(archive, lambda _: False, None)


def listing(archive: bytes) -> dict[str, tuple[int, int]]:
    """Of every file of a zip that `pack` made, without unpacking it: by path, size in bytes and CRC-32."""
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return {entry.filename: (entry.file_size, entry.CRC) for entry in opened.infolist()}


def _unpack(archive: bytes, leave_out: Callable[[str], bool], max_ratio: int | None) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            entries = _checked(archive, opened, leave_out)
            _check_sizes(archive, entries, max_ratio)
            return {path: _read(opened, path, entry) for path, entry in entries.items()}
    except (zipfile.BadZipFile, zlib.error, EOFError, struct.error, ValueError, NotImplementedError, OSError) as error:
        raise InvalidInput(f"the zip is broken ({error or type(error).__name__}): make it anew") from None


def _checked(archive: bytes, opened: zipfile.ZipFile, leave_out: Callable[[str], bool]) -> dict[str, zipfile.ZipInfo]:
    """The entries that are files, by path, none of them unpacked yet."""
    listed = opened.infolist()
    files: dict[str, zipfile.ZipInfo] = {}
    if len(listed) > _MAX_DIRECTORY:
        raise InvalidInput(f"the zip has {len(listed):,} entries: a plugin may have {MAX_ARCHIVE_FILES:,} files")
    for entry in listed:
        path = _path(entry)
        if path.endswith("/"):
            check_path(path[:-1])
            if entry.file_size:
                raise InvalidInput(f"{_shown(path)} is a folder with content: make the zip anew")
            continue
        check_path(path)
        if path in files:
            raise InvalidInput(f"{_shown(path)} is in the zip twice: make it anew, with each file once")
        if not leave_out(path):
            files[path] = entry
    check_names(files)
    _check_places(archive, opened.start_dir, listed)
    return files


def _path(entry: zipfile.ZipInfo) -> str:
    # Not `filename`: that ends at a NUL, and may come from an extra field.
    path = entry.orig_filename
    if entry.flag_bits & (_ENCRYPTED | _STRONGLY_ENCRYPTED):
        raise InvalidInput(f"{_shown(path)} is encrypted: make the zip without a password")
    if entry.flag_bits & _PATCHED or entry.compress_type not in _METHODS:
        raise InvalidInput(f"{_shown(path)} is compressed in an uncommon way: make the zip with Deflate, as is usual")
    if not path.isascii() and not entry.flag_bits & _UTF8:
        raise InvalidInput(f"the name {_shown(path)} is not marked as UTF-8: use ASCII, or 'wasmforge deploy FOLDER'")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR) or (kind == stat.S_IFDIR) > path.endswith("/"):
        what = "a symbolic link" if kind == stat.S_IFLNK else "no ordinary file"
        raise InvalidInput(f"{_shown(path)} is {what}: put a copy of the file in its place")
    return path


def check_path(path: str) -> None:
    """Refuse a path that could mean a place outside, or that is not the same everywhere.

    Raises:
        InvalidInput: why.
    """
    if len(path) > MAX_PATH_CHARACTERS:
        raise InvalidInput(f"the path {_shown(path)} has {len(path):,} characters, the limit is {MAX_PATH_CHARACTERS}")
    if not path.isprintable():
        raise InvalidInput(f"the path {_shown(path)} has characters that can't be seen: rename it")
    if "\\" in path:
        raise InvalidInput(f"the path {_shown(path)} has a backslash: folders are separated by / in a zip")
    if ":" in path:
        raise InvalidInput(f"the path {_shown(path)} has a colon, as drives do: rename it")
    if path.startswith("/"):
        raise InvalidInput(f"the path {_shown(path)} begins with /: paths in a plugin are relative")
    if any(part in ("", ".", "..") for part in path.split("/")):
        raise InvalidInput(f"the path {_shown(path)} has a part that is empty, . or ..: write it without")


def check_names(paths: Iterable[str]) -> None:
    """Refuse paths of one plugin that are the same in a file system that ignores case, and files that are folders too.

    Raises:
        InvalidInput: which.
    """
    files: dict[str, str] = {}
    folders: dict[str, str] = {}
    for path in paths:
        folded = _folded(path)
        if folded in files:
            raise InvalidInput(f"{_shown(path)} and {_shown(files[folded])} differ in case only: rename one")
        files[folded] = path
        above = path
        while above := above.rpartition("/")[0]:
            known = folders.setdefault(_folded(above), above)
            if known != above:
                raise InvalidInput(f"the folders {_shown(above)} and {_shown(known)} differ in case only: rename one")
    for folded in files.keys() & folders.keys():
        raise InvalidInput(f"{_shown(files[folded])} is a file and a folder: rename one")
    if len(files) > MAX_ARCHIVE_FILES:
        raise InvalidInput(f"the plugin has {len(files):,} files, the limit is {MAX_ARCHIVE_FILES:,}")


def _folded(path: str) -> str:
    return unicodedata.normalize("NFC", path).casefold()


def _check_sizes(archive: bytes, files: Mapping[str, zipfile.ZipInfo], max_ratio: int | None) -> None:
    total = sum(entry.file_size for entry in files.values())
    if total > MAX_UNPACKED_BYTES:
        raise InvalidInput(f"the zip unpacks to {total:,} bytes, the limit is {MAX_UNPACKED_BYTES:,} bytes")
    if max_ratio is not None and total > max(MIB, max_ratio * len(archive)):
        raise InvalidInput(
            f"the zip unpacks to {total:,} bytes, over {max_ratio} times its size: "
            "leave out what is only padding, or let the plugin make it"
        )


def _check_places(archive: bytes, end: int, entries: Iterable[zipfile.ZipInfo]) -> None:
    """No byte of the archive belongs to two entries."""
    reached = 0
    for entry in sorted(entries, key=lambda entry: entry.header_offset):
        start = entry.header_offset
        if start < reached or start + _LOCAL_HEADER.size > end:
            raise InvalidInput(f"{_shown(entry.orig_filename)} lies over another entry of the zip: make it anew")
        signature, name_bytes, extra_bytes = _LOCAL_HEADER.unpack_from(archive, start)
        reached = start + _LOCAL_HEADER.size + name_bytes + extra_bytes + entry.compress_size
        if signature != _LOCAL_SIGNATURE or reached > end:
            raise InvalidInput(f"{_shown(entry.orig_filename)} is not where the zip says: make it anew")


def _read(opened: zipfile.ZipFile, path: str, entry: zipfile.ZipInfo) -> bytes:
    with opened.open(entry) as file:
        data = file.read(entry.file_size + 1)
        # The second read is what compares the checksum, if the first did not come to the end.
        if len(data) != entry.file_size or file.read(1):
            raise InvalidInput(f"{_shown(path)} is not as long as the zip says: make it anew")
    return data


def _shown(path: str) -> str:
    return ascii(path) if len(path) <= 100 else ascii(path[:100]) + "…"
