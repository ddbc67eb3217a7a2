"""Which files make a plugin, and which of them runs."""

from collections.abc import Mapping

from schemas.errors import InvalidInput

MAINS = ("plugin.py", "__main__.py")
"""What the file is called that runs; a plugin of one file is the first."""

_LEFT_OUT = frozenset(("__pycache__", "__MACOSX", "Thumbs.db", "desktop.ini"))


def is_left_out(path: str) -> bool:
    """Whether a path is of no use to a plugin: caches, hidden files, what file managers leave."""
    return path.endswith((".pyc", ".pyo")) or any(part in _LEFT_OUT or part.startswith(".") for part in path.split("/"))


def without_folder(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Zips of a folder hold that folder; what counts is what is in it."""
    tops = {path.partition("/")[0] for path in files}
    if len(tops) != 1 or not all("/" in path for path in files):
        return dict(files)
    return {path.partition("/")[2]: data for path, data in files.items()}


def main_of(files: Mapping[str, bytes]) -> str:
    """The path of the file that runs.

    Raises:
        InvalidInput: there is none, or more than one.
    """
    mains = [path for path in MAINS if path in files]
    if not mains:
        found = ", ".join(sorted(files)[:5]) or "nothing"
        raise InvalidInput(
            f"there is no plugin.py (or __main__.py) at the root, nor in the one folder; there is {found}"
        )
    if len(mains) > 1:
        raise InvalidInput("there are both plugin.py and __main__.py: keep the one that is to run")
    return mains[0]
