"""A plugin's own files where its code looks for them, to be read only: open, os.stat, os.listdir and their like."""

import builtins
import errno
import io
import os
import stat
import tokenize


def install(tree):
    """Put these in the place of what the standard library calls; all else goes on to that."""
    opener = _Open(tree, io.open)
    # With the one in tokenize, linecache finds the lines of a traceback.
    io.open = builtins.open = tokenize._builtin_open = opener.open
    listing = _Folders(tree)
    os.stat, os.lstat, os.access = listing.stat, listing.lstat, listing.access
    os.listdir, os.scandir = listing.listdir, listing.scandir


class _File(io.BytesIO):
    """An open file of the plugin."""

    mode = "rb"

    def __init__(self, name, data):
        super().__init__(data)
        self.name = name

    def writable(self):
        return False

    def write(self, data):
        raise io.UnsupportedOperation("not writable")

    writelines = truncate = write


class _Open:
    """`open`, over files of the tree and everything else."""

    def __init__(self, tree, original):
        self._tree = tree
        self._original = original

    def open(  # noqa: PLR0917
        self, file, mode="r", buffering=-1, encoding=None, errors=None, newline=None, closefd=True, opener=None
    ):
        """As the built-in one."""
        name = self._tree.find(file) if opener is None else None
        data = self._tree.files.get(name)
        if data is None:
            if name in self._tree.folders:
                raise _error(errno.EISDIR, file)
            return self._original(file, mode, buffering, encoding, errors, newline, closefd, opener)
        if mode in ("rb", "br") and encoding is errors is newline is None:
            return _File(file, data)
        if mode in ("r", "rt", "tr", "") and buffering != 0:
            text = io.TextIOWrapper(_File(file, data), encoding or "utf-8", errors, newline)
            text.mode = mode
            return text
        if isinstance(mode, str) and set(mode) & set("wax+"):
            raise _error(errno.EROFS, file)
        return self._original(file, mode, buffering, encoding, errors, newline, closefd, opener)


class _Folders:
    """What `os` says of files and folders of the tree and everything else."""

    def __init__(self, tree):
        self._tree = tree
        self._stat, self._lstat, self._access = os.stat, os.lstat, os.access
        self._listdir, self._scandir = os.listdir, os.scandir

    def stat(self, path, *, dir_fd=None, follow_symlinks=True):
        """As `os.stat`."""
        found = self._of(self._tree.find(path))
        return found or self._stat(path, dir_fd=dir_fd, follow_symlinks=follow_symlinks)

    def lstat(self, path, *, dir_fd=None):
        """As `os.lstat`."""
        return self._of(self._tree.find(path)) or self._lstat(path, dir_fd=dir_fd)

    def access(self, path, mode, *, dir_fd=None, effective_ids=False, follow_symlinks=True):
        """As `os.access`."""
        if self._of(self._tree.find(path)) is not None:
            return not mode & os.W_OK
        return self._access(path, mode, dir_fd=dir_fd, effective_ids=effective_ids, follow_symlinks=follow_symlinks)

    def listdir(self, path="."):
        """As `os.listdir`."""
        name = self._tree.find(path)
        if name in self._tree.files:
            raise _error(errno.ENOTDIR, path)
        return self._tree.folders[name].copy() if name in self._tree.folders else self._listdir(path)

    def scandir(self, path="."):
        """As `os.scandir`."""
        name = self._tree.find(path)
        if name in self._tree.files:
            raise _error(errno.ENOTDIR, path)
        if name not in self._tree.folders:
            return self._scandir(path)
        return _Entries(_Entry(self, os.fspath(path), name) for name in self._tree.folders[name])

    def _of(self, name):
        if name in self._tree.files:
            return _stat_result(stat.S_IFREG | 0o444, len(self._tree.files[name]))
        return _stat_result(stat.S_IFDIR | 0o555, 0) if name in self._tree.folders else None


class _Entry:
    """What `os.scandir` yields."""

    def __init__(self, folders, folder, name):
        self._folders = folders
        self.name = name
        self.path = os.path.join(folder, name)

    def __fspath__(self):
        return self.path

    def __repr__(self):
        return f"<DirEntry {self.name!r}>"

    def stat(self, *, follow_symlinks=True):
        return self._folders.stat(self.path)

    def is_dir(self, *, follow_symlinks=True):
        return stat.S_ISDIR(self.stat().st_mode)

    def is_file(self, *, follow_symlinks=True):
        return stat.S_ISREG(self.stat().st_mode)

    def is_symlink(self):
        return False

    def is_junction(self):
        return False

    def inode(self):
        return 0


class _Entries:
    """An iterator that is also a context manager."""

    def __init__(self, entries):
        self._entries = entries

    def __iter__(self):
        return self

    def __next__(self):
        return next(self._entries)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def close(self):
        self._entries = iter(())


def _stat_result(mode, size):
    return os.stat_result((mode, 0, 0, 1, 0, 0, size, 0, 0, 0))


def _error(number, path):
    return OSError(number, os.strerror(number), path)
