"""The folder of a stack's unix sockets. A socket's path has at most 107 bytes, so it can't lie in the state folder."""

import contextlib
import hashlib
import os
import stat
import tempfile
from pathlib import Path

from deploy.local.process import StartFailed

_MAX_FOLDER_BYTES = 80


def folder_of(state: Path) -> Path:
    """Where the sockets of the stack with this state folder lie: always the same, this user's own."""
    digest = hashlib.sha256(os.fsencode(state.resolve())).hexdigest()[:12]
    folder = Path(tempfile.gettempdir()) / f"wasmforge-{os.geteuid()}-{digest}"
    return folder if len(os.fsencode(folder)) <= _MAX_FOLDER_BYTES else Path("/tmp") / folder.name  # noqa: S108


def make_folder(state: Path) -> Path:
    """`folder_of`, made if need be, closed to others.

    Raises:
        StartFailed: somebody else was there first.
    """
    folder = folder_of(state)
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise StartFailed(f"{folder} belongs to somebody else or is open to others; remove it or set TMPDIR")
    return folder


def remove_folder(state: Path) -> None:
    """Remove it if it is empty, as it is after an ordered stop."""
    with contextlib.suppress(OSError):
        folder_of(state).rmdir()
