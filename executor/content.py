"""The files of a plugin, out of what a gateway sent."""

from schemas.archive import unpack_own
from schemas.errors import InvalidInput, RuntimeFault
from schemas.pluginfiles import MAINS, main_of


def files_of(source: str, archive: bytes | None) -> dict[str, bytes]:
    """A plugin's files by path, the one that runs first.

    Raises:
        RuntimeFault: the archive is not one that a gateway makes.
    """
    if archive is None:
        return {MAINS[0]: source.encode("utf-8", "replace")}
    try:
        files = unpack_own(archive)
        main = main_of(files)
    except InvalidInput as error:
        raise RuntimeFault(f"the plugin's archive can't be read: {error}") from None
    if files[main].removeprefix(b"\xef\xbb\xbf") != source.encode("utf-8", "replace"):
        raise RuntimeFault("the plugin's archive does not hold its source")
    return {main: files.pop(main), **files}
