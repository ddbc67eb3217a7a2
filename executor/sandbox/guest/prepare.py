"""Makes this the interpreter of one plugin, before the snapshot that its calls begin from; nothing of it runs."""

import gc
import io
import linecache
import opcode
import sys
import types

from .channel import receive
from .errors import report
from .streams import install_input

FILE = "plugin.py"
# Modules of the standard library that do something when they are imported.
NOISY = frozenset(("antigravity", "this", "idlelib", "turtledemo", "__main__"))

_IMPORT_NAME, _EXTENDED_ARG = opcode.opmap["IMPORT_NAME"], opcode.opmap["EXTENDED_ARG"]

prepared = []
"""Code and globals of the plugin, for exec."""


def prepare():
    """Compile the plugin and import what its top level imports from the standard library."""
    error = None
    try:
        source = receive().decode("utf-8").removeprefix("\ufeff")
        code = compile(source, FILE, "exec", dont_inherit=True)
        linecache.cache[FILE] = (len(source), None, io.StringIO(source + "\n", None).readlines(), FILE)
        for name in _imports(code):
            if name.partition(".")[0] in sys.stdlib_module_names and name.partition(".")[0] not in NOISY:
                try:
                    __import__(name)
                except BaseException:
                    pass  # the plugin will meet it where it stands
        main = types.ModuleType("__main__")
        main.__file__ = FILE
        sys.modules["__main__"] = main
        install_input()
        prepared[:] = code, main.__dict__
        gc.collect()
        gc.freeze()
    except BaseException as caught:
        error = caught
    report(error)


def _imports(code):
    """Names that the top level of ``code`` imports (dis: IMPORT_NAME, with EXTENDED_ARG before it)."""
    argument = 0
    for operation, low in zip(code.co_code[::2], code.co_code[1::2], strict=True):
        argument = argument << 8 | low
        if operation == _IMPORT_NAME:
            yield code.co_names[argument]
        if operation != _EXTENDED_ARG:
            argument = 0
