"""The files of a plugin that is a zip, as a tree with the root where Python says that it runs."""

import os
import posixpath


class Tree:
    """Files and folders by their path without a leading slash; the root is ``""``."""

    def __init__(self, files):
        self.files = files
        self.folders = {"": []}
        """Names in each folder, sorted."""
        for path in sorted(files):
            self._enter(path)
        for names in self.folders.values():
            names.sort()

    def _enter(self, path):
        folder, _, name = path.rpartition("/")
        if folder not in self.folders:
            self.folders[folder] = []
            self._enter(folder)
        self.folders[folder].append(name)

    def find(self, path):
        """The path in this tree that is meant, whether or not it is there; None if it can't be in it."""
        if not isinstance(path, str):
            try:
                path = os.fspath(path)
            except TypeError:
                return None  # a descriptor
            if not isinstance(path, str):
                return None
        if path in self.files:
            return path
        return posixpath.normpath("/" + path).lstrip("/")
