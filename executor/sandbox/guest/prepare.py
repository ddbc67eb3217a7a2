"""Makes this the interpreter of one plugin, before the snapshot that its calls begin from; nothing of it runs."""

import gc
import io
import linecache
import sys
import types

from . import errors, files, importer
from .bundle import receive_files, text_of
from .channel import RESULT, send
from .errors import report
from .reach import compiled, imported_names
from .resolve import NOISY
from .streams import install_input
from .tree import Tree

FILE = "plugin.py"

_TOO_LARGE = b"the plugin takes more memory to compile than it may have: raise memory_bytes, or make it smaller"

prepared = []
"""Code and globals of the plugin, for exec."""


def prepare():
    """Compile all files and import what the top level of any of them imports from the standard library."""
    error = None
    try:
        content = receive_files()
        path = next(iter(content))
        source = text_of(content[path])
        code = compile(source, path, "exec", dont_inherit=True)
        linecache.cache[path] = (len(source), None, io.StringIO(source + "\n", None).readlines(), path)
        codes = [code]
        if len(content) > 1:
            tree = Tree(content)
            modules = compiled(content, path, code)
            importer.install(tree, modules)
            codes += modules.values()
            files.install(tree)
            errors.no_files = errors.NO_OTHER_FILES
        for name in {name: None for part in codes for name in imported_names(part)}:
            if name.partition(".")[0] in sys.stdlib_module_names and name.partition(".")[0] not in NOISY:
                try:
                    __import__(name)
                except BaseException:
                    pass  # the plugin will meet it where it stands
        main = types.ModuleType("__main__")
        main.__file__ = path
        sys.modules["__main__"] = main
        sys.argv = [path]
        install_input()
        prepared[:] = code, main.__dict__
        gc.collect()
        gc.freeze()
    except MemoryError as caught:
        if not caught.args:  # else it is the parser's, which says so of a source that is nested too deeply
            send(RESULT + b"out_of_memory\0" + _TOO_LARGE)
            return
        error = caught
    except BaseException as caught:
        error = caught
    report(error)
