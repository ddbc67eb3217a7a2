"""Imports out of a plugin's own files: a path hook, so that packages, relative imports and sys.path work as usual."""

import importlib._bootstrap_external as _external
import sys
import types
from importlib import _bootstrap
from importlib.machinery import ModuleSpec

ROOT = "/"


class _NoLock:
    """One thread waits for nobody; the locks of `importlib` are a third of what an import costs here."""

    def __init__(self, name):
        pass

    def __enter__(self):
        pass

    def __exit__(self, *error):
        pass


def install(tree, codes):
    """Make the root of ``tree`` the first place to import from; ``codes`` holds, by path, what is compiled already."""

    def hook(entry):
        folder = tree.find(entry)
        if folder not in tree.folders:
            raise ImportError(f"{entry!r} is no folder of the plugin", path=entry)
        return _Finder(tree, codes, folder)

    _bootstrap._ModuleLockManager = _NoLock
    sys.path_hooks.insert(0, hook)
    sys.path.insert(0, ROOT)
    sys.meta_path.insert(0, _Known(hook(ROOT), codes))
    sys.meta_path.append(_Distributions(tree))


# The frozen class, because CPython leaves its frames out of tracebacks.
class _Loader(_external.SourceLoader):
    """Loads the module of one file."""

    def __init__(self, tree, codes, path):
        self._tree = tree
        self._codes = codes
        self.path = path
        self.made = None
        """The module, if it was made beforehand and nobody has had it."""

    def create_module(self, spec):
        module, self.made = self.made, None
        return module

    def get_filename(self, fullname):
        return self.path

    def get_data(self, path):
        try:
            return self._tree.files[self._tree.find(path)]
        except KeyError:
            raise FileNotFoundError(44, "No such file or directory", path) from None

    def get_code(self, fullname):
        code = self._codes.get(self.path)
        return compile(self._tree.files[self.path], self.path, "exec", dont_inherit=True) if code is None else code

    def get_resource_reader(self, fullname):
        from importlib.resources.readers import FileReader

        return FileReader(self)


class _Known:
    """What `_Finder` would find in packages and at the root, found and made before the snapshot, so that it costs less.

    It answers only where the search would begin there: not if a plugin has changed the path it is searched on.
    """

    def __init__(self, root, codes):
        self._specs = {}
        for path in codes:
            *folders, name = path.removesuffix("/__init__.py").removesuffix(".py").split("/")
            finder, above = root, None
            for folder in folders:
                above = finder and finder.find_spec(folder)
                finder = above and above.loader and root.within(above.submodule_search_locations[0])
            if finder is None or (spec := finder.find_spec(".".join((*folders, name)))) is None or spec.origin != path:
                continue
            module = spec.loader.made = types.ModuleType(spec.name)
            _bootstrap._init_module_attrs(spec, module)
            self._specs[spec.name] = spec, above and above.submodule_search_locations

    def find_spec(self, fullname, path=None, target=None):
        spec, place = self._specs.get(fullname, _UNKNOWN)
        if path is None:
            return spec if sys.path and sys.path[0] == ROOT else None
        return spec if path == place else None


_UNKNOWN = None, None


class _Finder:
    """Finds the modules of one folder."""

    def __init__(self, tree, codes, folder):
        self._tree = tree
        self._codes = codes
        self._prefix = f"{folder}/" if folder else ""
        self._names = frozenset(tree.folders[folder])

    def within(self, folder):
        """The same for another folder."""
        return _Finder(self._tree, self._codes, folder)

    def find_spec(self, fullname, target=None):
        name = fullname.rpartition(".")[2]
        if not self._prefix and name in sys.stdlib_module_names:
            return None  # part of it is imported already, and half a module of each kind helps nobody
        if name in self._names:
            folder = self._prefix + name
            if (path := f"{folder}/__init__.py") in self._tree.files:
                return self._spec(fullname, path, [folder])
            if f"{name}.py" not in self._names and folder in self._tree.folders:
                spec = ModuleSpec(fullname, None, is_package=True)  # a part of a namespace package
                spec.submodule_search_locations.append(folder)
                return spec
        if f"{name}.py" in self._names:
            return self._spec(fullname, f"{self._prefix}{name}.py", None)
        return None

    def iter_modules(self, prefix=""):
        """For `pkgutil`: (name, whether it is a package)."""
        for name in sorted(self._names):
            if f"{self._prefix}{name}/__init__.py" in self._tree.files:
                yield prefix + name, True
            elif name.endswith(".py") and name != "__init__.py":
                yield prefix + name.removesuffix(".py"), False

    def _spec(self, fullname, path, locations):
        spec = ModuleSpec(fullname, _Loader(self._tree, self._codes, path), origin=path, is_package=bool(locations))
        spec.has_location = True
        spec.cached = None
        if locations:
            spec.submodule_search_locations[:] = locations
        return spec


class _Distributions:
    """What `importlib.metadata` asks: the folders ``*.dist-info`` at the root."""

    def __init__(self, tree):
        self._tree = tree

    def find_spec(self, fullname, path=None, target=None):
        return None

    def find_distributions(self, context=None):
        import pathlib
        from importlib.metadata import PathDistribution, Prepared

        wanted = None if context is None or context.name is None else Prepared(context.name).normalized
        for folder in self._tree.folders[""]:
            name = Prepared.normalize(folder.removesuffix(".dist-info").partition("-")[0])
            if folder.endswith(".dist-info") and wanted in (None, name):
                yield PathDistribution(pathlib.Path(folder))
