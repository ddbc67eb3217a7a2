"""What an import leads to, and why it can't work here."""

import sys

from .absent import REASONS

# Modules of the standard library that do something when they are imported.
NOISY = frozenset(("antigravity", "this", "idlelib", "turtledemo", "__main__"))
# Source with one of these words may make modules by itself, or find them in other places.
_MAKES = (b"sys.modules", b"meta_path", b"path_hooks", b"__path__")
_FINDS = (b"sys.path", b"meta_path", b"path_hooks", b"site")


class Resolver:
    """Knows the standard library and the files of one plugin."""

    def __init__(self, files):
        self._files = files
        self._folders = {""}
        for path in files:
            if path.endswith(".py"):
                while path := path.rpartition("/")[0]:
                    self._folders.add(path)
        sources = [data for path, data in files.items() if path.endswith(".py")]
        self._finding = any(word in data for data in sources for word in _FINDS)
        self._making = [data for data in sources if any(word in data for word in _MAKES)]

    def hidden(self):
        """(path, name) of modules that hide one of the standard library."""
        tops = {
            path.partition("/")[0].removesuffix(".py"): path for path in sorted(self._files) if path.endswith(".py")
        }
        return [(path, name) for name, path in tops.items() if name in sys.stdlib_module_names]

    def absolute(self, path, one):
        """What ``one``, an import in the file ``path``, means as an absolute name; None if it leads out."""
        if not one.level:
            return one.name
        package = path.removesuffix(".py").split("/")[:-1]
        if one.level > len(package):
            return None
        return ".".join((*package[: len(package) - one.level + 1], *filter(None, (one.name,))))

    def paths(self, name, attributes):
        """The plugin's own files that are run by importing ``name``, and ``attributes`` from it."""
        parts = name.split(".")
        names = [parts[: n + 1] for n in range(len(parts))] + [[*parts, attribute] for attribute in attributes]
        return [path for each in names if (path := self._module("/".join(each))) is not None]

    def problem(self, name, attributes):
        """Why it can't work; None if it may, as far as can be seen."""
        top = name.partition(".")[0]
        if top in NOISY or top == "_wasmforge":
            return None
        if top in sys.stdlib_module_names or top == "platform_sdk":
            return _standard(name, attributes)
        if self._module(top) is None and top not in self._folders:
            return self._missing(name)
        so_far = ""
        for part in name.split("."):
            so_far += f"/{part}" if so_far else part
            if self._module(so_far) is None and so_far not in self._folders:
                shown = so_far.replace("/", ".")
                return None if self._making else f"there is no module {shown!r} among the plugin's files"
        return None

    def _missing(self, name):
        top = name.partition(".")[0]
        elsewhere = [folder for folder in sorted(self._folders) if self._module(f"{folder}/{top}") is not None]
        if elsewhere:
            hint = f"it is in {elsewhere[0]}/: move it to the root, or say sys.path.insert(0, {elsewhere[0]!r}) first"
            return None if self._finding else f"there is no module {top!r} at the root of the plugin, {hint}"
        if any(quote + top.encode() + quote in data for data in self._making for quote in (b"'", b'"')):
            return None
        what = f"there is no module {name!r} in the sandbox"
        return f"{what}: a plugin has the standard library, platform_sdk and what is in its own zip"

    def _module(self, name):
        return next((path for path in (f"{name}/__init__.py", f"{name}.py") if path in self._files), None)


def _standard(name, attributes):
    """Why a module of the standard library, or something in it, can't be imported; None if it can."""
    try:
        __import__(name)
    except ImportError as error:
        missing = str(error.name or name).removeprefix("_")
        reason = REASONS.get(name) or REASONS.get(missing) or "it needs what this Python was built without"
        return f"module {name!r} can't be imported in the sandbox: {reason}"
    except BaseException:
        return None  # it is there; what it does is for the plugin to see
    for attribute in attributes:
        if attribute != "*" and not _has(name, attribute):
            full = f"{name}.{attribute}"
            return f"{attribute!r} can't be imported from {name!r}: {REASONS.get(full, 'there is none in Python 3.12')}"
    return None


def _has(name, attribute):
    try:
        if hasattr(sys.modules[name], attribute):
            return True
        __import__(f"{name}.{attribute}")
    except ImportError:
        return False
    except BaseException:
        pass
    return True
