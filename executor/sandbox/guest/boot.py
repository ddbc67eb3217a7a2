# Runs in the sandbox, once, before the snapshot (CPython 3.12 for WASI, started as
# `python -c <this> <platform_sdk> <name of a module> <its source> …`, see __init__.py).
# It imports what plugins use, loads the modules beside it, warms up what is slow the first time, and stops at the
# checkpoint. A process of a plugin then runs `prepare` once and is snapshotted again; every call begins there, in
# `serve`, in an interpreter that has never run anything of a plugin.

import sys

_IMPORTS = """
abc argparse array ast asyncio base64 bisect calendar cmath codecs collections collections.abc colorsys configparser
contextlib copy csv dataclasses datetime decimal difflib email email.message email.parser enum errno fnmatch fractions
functools graphlib hashlib heapq hmac html html.parser inspect io itertools json keyword linecache logging math
numbers operator os os.path pathlib pickle pprint queue quopri random re secrets shlex statistics string struct
tempfile textwrap threading time timeit tokenize traceback types typing unicodedata urllib.parse uuid warnings weakref
xml.etree.ElementTree zlib zoneinfo
""".split()
for _name in _IMPORTS:
    try:
        __import__(_name)
    except ImportError:
        pass
del _name

import _sitebuiltins
import asyncio
import builtins
import gc
import json
import linecache
import random
import struct
import time
import types

_PACKAGE = "guest"


def _load(arguments):
    """Run the modules that came as arguments; returns the package that holds them, which plugins do not see."""
    package = types.ModuleType(_PACKAGE)
    package.__path__ = []
    sys.modules[_PACKAGE] = package
    for name, source in zip(arguments[::2], arguments[1::2], strict=True):
        full_name = f"{_PACKAGE}.{name}"
        module = types.ModuleType(full_name)
        module.__package__ = _PACKAGE
        sys.modules[full_name] = module
        setattr(package, name, module)
        exec(compile(source, f"{_PACKAGE}/{name}.py", "exec"), module.__dict__)
    for name in (_PACKAGE, *(f"{_PACKAGE}.{name}" for name in arguments[::2])):
        del sys.modules[name]
    return package


_guest = _load(sys.argv[2:])
_guest.errors.AIError = _guest.sdk.install(sys.argv[1]).AIError
_guest.loop.install()
_guest.clocks.install()
_guest.streams.install_output()

# `exit` and `quit` come from the `site` module, which is not loaded here.
builtins.exit = _sitebuiltins.Quitter("exit", "Ctrl-D")
builtins.quit = _sitebuiltins.Quitter("quit", "Ctrl-D")
sys.argv = [_guest.prepare.FILE]
sys.path[:] = [path for path in sys.path if path]

_SAMPLE = """
from math import *
import json
def f(x, *a, k=1):
    return [y for y in range(x)]
f(3)
class C: pass
"""
_FILE = _guest.prepare.FILE
# The first compile() builds the types of the syntax tree (20 ms), the first traceback imports its parts.
for _ in range(3):
    json.loads(json.dumps({"a": [1, "x", None, 1.5]}).encode())
    exec(compile(_SAMPLE, "sample.py", "exec"), {})
    try:
        exec(compile("def f():\n    return 1/0\nf()\n", _FILE, "exec"), {})
    except ZeroDivisionError as _error:
        linecache.cache[_FILE] = (3, None, ["def f():\n", "    return 1/0\n", "f()\n"], _FILE)
        _guest.errors.outcome(_error)
        del linecache.cache[_FILE], _error
    random.seed()
    _loop = _guest.loop.EventLoop()
    _loop.run_until_complete(asyncio.sleep(0))
    _loop.close()
del _loop
_arguments = ()

# Room at the top of memory, so that an ordinary call does not make it grow (a grown memory can't shrink again).
_room = bytearray(24 * 1024 * 1024)
del _room
gc.collect()
gc.freeze()

# Tell the host what to call: the addresses of three functions, their (empty) arguments and their type.
_entries = _guest.serve.serve, _guest.check.check, _guest.prepare.prepare
_addresses = struct.pack("<IIIII", *map(id, _entries), id(_arguments), id(types.FunctionType))
_guest.channel.send(_guest.channel.READY + _addresses)
# The checkpoint: the host ends this call of clock_res_get by unwinding, and takes the snapshot. It must be a call that
# CPython makes with the interpreter lock held, or the next invocation would find it released.
time.clock_getres(time.CLOCK_MONOTONIC)
