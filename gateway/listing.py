"""The files of a plugin, named without being unpacked."""

import zlib

from schemas.archive import listing
from schemas.http import PluginFile
from schemas.pluginfiles import MAINS


def files_of(source: str, archive: bytes | None) -> list[PluginFile]:
    """Path, size and checksum of every file.

    Args:
        source: text of the file that runs.
        archive: all files, packed; None if that is the only one.
    """
    if archive is None:
        content = source.encode("utf-8")
        return [_file(MAINS[0], len(content), zlib.crc32(content))]
    return [_file(path, size, crc) for path, (size, crc) in listing(archive).items()]


def _file(path: str, size_bytes: int, crc: int) -> PluginFile:
    return PluginFile(path, size_bytes, f"{crc:08x}")
