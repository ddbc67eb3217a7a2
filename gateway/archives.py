"""A zip that somebody uploads becomes the files of a plugin."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from gateway.forms import utf8
from schemas.archive import pack, unpack
from schemas.errors import InvalidInput
from schemas.limits import MAX_ARCHIVE_FILES, MAX_SOURCE_BYTES
from schemas.pluginfiles import is_left_out, main_of, without_folder

_NATIVE = re.compile(r"\.(so|pyd|dylib|dll)(\.[0-9.]+)?$", re.IGNORECASE)
_OURS = re.compile(r"(platform_sdk|_wasmforge)(\.py|/.*)")


@dataclass(frozen=True)
class PluginFiles:
    """The files of a plugin that came as a zip."""

    source: str
    """Text of the one that runs."""
    files: Mapping[str, bytes]
    archive: bytes
    """All of them, packed so that nothing shows but paths and contents."""

    def modules(self) -> list[str]:
        """Texts of its modules; what is no UTF-8 in them is replaced."""
        return [data.decode(errors="replace") for path, data in self.files.items() if path.endswith(".py")]


def read_archive(content: bytes) -> PluginFiles:
    """What is in an uploaded zip, without what no plugin needs; blocks for as long as unpacking takes.

    Raises:
        InvalidInput: what is wrong with it, and what to do.
    """
    files = without_folder(unpack(content, is_left_out))
    if len(files) > MAX_ARCHIVE_FILES:
        raise InvalidInput(f"the zip has {len(files):,} files, the limit is {MAX_ARCHIVE_FILES:,}")
    main = main_of(files)
    for path in sorted(files):
        _check_use(path)
    source = utf8(files[main], main).removeprefix("\ufeff")
    if len(files[main]) > MAX_SOURCE_BYTES:
        raise InvalidInput(f"{main} is {len(files[main]):,} bytes, the limit is {MAX_SOURCE_BYTES:,} bytes")
    if not source.strip():
        raise InvalidInput(f"{main} is empty")
    return PluginFiles(source, files, pack(files))


def _check_use(path: str) -> None:
    if _NATIVE.search(path):
        raise InvalidInput(
            f"{path} is native code, which a plugin can't load: use a pure-Python package, "
            "or delete the file if its package can do without"
        )
    if _OURS.fullmatch(path):
        raise InvalidInput(f"{path} would hide the platform's own module: delete it, plugins have it anyway")
