"""What the sandbox does not have, refused in an ordinary process, so that a plugin meets it before it is deployed.

This is a courtesy to who develops a plugin, not a wall: Python code that wants around it gets around it.
"""

import _thread
import errno
import importlib.abc
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Final, NoReturn


def _words(text: str) -> list[str]:
    return text.split()


MODULES: Final = frozenset(
    _words("""
_ctypes _curses _curses_panel _dbm _gdbm _hashlib _lzma _multiprocessing _posixshmem _posixsubprocess _pydecimal _pyio
_scproxy _ssl _tkinter _uuid ctypes curses ensurepip fcntl grp lib2to3 lzma mmap multiprocessing nis ossaudiodev pty pwd
pydoc_data readline resource rlcompleter spwd ssl syslog termios tkinter tty turtle uu venv webbrowser xdrlib
""")
)
"""Of the standard library; what the sandbox's Python was built without."""

_FUNCTIONS: Final = _words("""
execl execle execlp execlpe execv execve execvp execvpe fork forkpty kill killpg popen posix_spawn posix_spawnp spawnl
spawnle spawnlp spawnlpe spawnv spawnve spawnvp spawnvpe system
""")
"""Of `os`."""

ERRNOS: Final = frozenset((errno.ENOENT, errno.EACCES, errno.ENOSYS, errno.ENOTSUP, errno.EPERM))
"""With which the refusals here say no."""

_REFUSED_EVENTS: Final = frozenset(
    _words("""
os.chdir os.chflags os.chmod os.chown os.link os.lockf os.mkdir os.remove os.rename os.rmdir os.setxattr os.symlink
os.truncate os.utime pty.spawn shutil.chown shutil.copyfile shutil.move shutil.rmtree
""")
)
_LISTING_EVENTS: Final = frozenset(("os.listdir", "os.scandir"))


class _Absent(importlib.abc.MetaPathFinder):
    """Finds what must not be found, before anybody else does."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] in MODULES:
            raise ModuleNotFoundError(f"No module named {fullname!r}", name=fullname)
        return None


def install() -> None:
    """Refuse from now on, for the rest of this process's life."""
    for name in [name for name in sys.modules if name.partition(".")[0] in MODULES]:
        del sys.modules[name]
    sys.meta_path.insert(0, _Absent())
    for name in _FUNCTIONS:
        if hasattr(os, name):
            delattr(os, name)
    # Under each name that the standard library's own modules know it by, in the versions there are.
    for module in (_thread, threading):
        for name in ("start_new_thread", "start_new", "start_joinable_thread"):
            for known in (name, f"_{name}"):
                if hasattr(module, known):
                    setattr(module, known, _no_thread)
    subprocess._can_fork_exec = False  # type: ignore[attr-defined]  # what it is in the sandbox
    roots = tuple(os.path.join(os.path.abspath(path), "") for path in sys.path)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            _check_open(roots, *arguments)
        elif event in _LISTING_EVENTS:
            _check_path(roots, arguments[0])
        elif event == "socket.__new__" or event.startswith("socket.get"):
            raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))
        elif event in _REFUSED_EVENTS:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), arguments[0])

    sys.addaudithook(hook)


def _no_thread(*_: object, **__: object) -> NoReturn:
    raise RuntimeError("can't start new thread")


def _check_open(roots: tuple[str, ...], path: object, _mode: object, flags: int) -> None:
    writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
    _check_path(() if writes else roots, path)


def _check_path(roots: tuple[str, ...], path: object) -> None:
    """Only the standard library can be read; a number is a descriptor that the plugin has already."""
    if isinstance(path, int):
        return
    name = os.fsdecode(path) if isinstance(path, (str, bytes)) else "."
    if not os.path.abspath(name).startswith(roots):
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
