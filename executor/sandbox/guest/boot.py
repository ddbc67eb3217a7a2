# Runs in the sandbox, once, before the snapshot (CPython 3.12 for WASI, started as `python -c <this> <platform_sdk>`).
# It imports what plugins use, warms up what is slow the first time, and stops at the checkpoint. A process of a plugin
# then runs `_prepare` once and is snapshotted again; every call begins there, in `_serve`, in an interpreter that has
# never run anything of a plugin.
#
# Descriptor 0 is the channel: one write is one frame (kind byte, then payload), a read continues the host's answer.

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
import ast
import asyncio
import atexit
import gc
import io
import json
import linecache
import opcode
import os
import random
import selectors
import struct
import time
import traceback
import types
import warnings

_CHANNEL = 0
_TASK_HEADER = 5
_IMPORT_NAME, _EXTENDED_ARG = opcode.opmap["IMPORT_NAME"], opcode.opmap["EXTENDED_ARG"]
# Modules of the standard library that do something when they are imported.
_NOISY = frozenset(("antigravity", "this", "idlelib", "turtledemo", "__main__"))
_FIRST_READ = 32 * 1024
_OUTPUT, _REQUEST, _RESULT, _READY = b"\x10", b"\x11", b"\x12", b"\x13"
_FILE = "plugin.py"
_MAX_ERROR_CHARACTERS = 16_000
_MAX_FRAMES = 200
# Where the standard library was compiled, which is of no use to anybody who reads a traceback.
_BUILT_IN = json.dumps.__code__.co_filename.removesuffix("json/__init__.py")
# Errno values with which the sandbox refuses: EACCES, ENOENT, ENOSYS, ENOTSUP, EPERM, ENOTCAPABLE.
_REFUSALS = frozenset((2, 44, 52, 58, 63, 76))
_NETWORK, _PROCESSES = "a plugin has no network", "a plugin can't start processes"
_THREADS, _NATIVE = "a plugin has one thread", "a plugin can't load native code"
# What this Python lacks because of what it would do, without the underscore that some names begin with.
_ABSENT = {
    "socket": _NETWORK,
    "ssl": _NETWORK,
    "posixsubprocess": _PROCESSES,
    "multiprocessing": _PROCESSES,
    "concurrent.futures.process": _PROCESSES,
    "concurrent.futures.thread": _THREADS,
    "ctypes": _NATIVE,
}
for _module, _names, _why in (
    ("socket", "getaddrinfo gethostbyaddr gethostbyname gethostbyname_ex getnameinfo", _NETWORK),
    ("os", "execl execv execve execvp fork forkpty kill killpg popen posix_spawn spawnl spawnv system", _PROCESSES),
):
    for _name in _names.split():
        _ABSENT[f"{_module}.{_name}"] = _why
del _module, _name, _names, _why

# `exit` and `quit` come from the `site` module, which is not loaded here.
import builtins

builtins.exit = _sitebuiltins.Quitter("exit", "Ctrl-D")
builtins.quit = _sitebuiltins.Quitter("quit", "Ctrl-D")


def _receive():
    """The payload of the next frame from the host: u32 length, then that many bytes."""
    data = os.read(_CHANNEL, _FIRST_READ)
    end = 4 + int.from_bytes(data[:4], "little")
    while len(data) < end:
        part = os.read(_CHANNEL, end - len(data))
        if not part:
            raise EOFError("the platform's answer ended early")
        data += part
    return data[4:]


def _request(operation, arguments):
    os.write(_CHANNEL, _REQUEST + json.dumps({"operation": operation, "arguments": arguments}).encode())
    return json.loads(_receive())


def _send_output(data):
    os.write(_CHANNEL, _OUTPUT + data)


def _install_sdk(source):
    transport = types.ModuleType("_wasmforge")
    transport.input = b""
    transport.send_output = _send_output
    transport.request = _request
    sys.modules["_wasmforge"] = transport
    module = types.ModuleType("platform_sdk")
    sys.modules["platform_sdk"] = module
    exec(compile(source, "platform_sdk.py", "exec"), module.__dict__)
    return transport, module.AIError


_transport, _AIError = _install_sdk(sys.argv[1])


class _Clock(selectors._BaseSelectorImpl):
    """What an event loop waits with: here nothing ever comes from outside, so it is time alone that passes."""

    def select(self, timeout=None):
        if timeout is None:
            raise RuntimeError("every task waits for something that can't happen any more")
        time.sleep(max(0, timeout))
        return []


class _EventLoop(asyncio.SelectorEventLoop):
    """asyncio's own loop without the socket pair by which threads and signals wake it: there are none."""

    def __init__(self, selector=None):
        super().__init__(_Clock() if selector is None else selector)

    def _make_self_pipe(self):
        pass

    def _close_self_pipe(self):
        pass

    def _write_to_self(self):
        pass


asyncio.SelectorEventLoop = asyncio.unix_events.SelectorEventLoop = _EventLoop
asyncio.DefaultEventLoopPolicy._loop_factory = _EventLoop


def _refusal(error):
    """Why the sandbox refused what the plugin tried; None if it did not."""
    if isinstance(error, OSError):
        return "The sandbox has no files, no network and no processes." if error.errno in _REFUSALS else None
    what = ""
    if isinstance(error, ModuleNotFoundError):
        what = str(error.name).removeprefix("_")
    elif isinstance(error, AttributeError) and isinstance(error.obj, types.ModuleType):
        what = f"{error.obj.__name__}.{error.name}".removeprefix("_")
    elif isinstance(error, RuntimeError) and error.args == ("can't start new thread",):
        return f"The sandbox refused: {_THREADS}."
    return f"The sandbox does not have {what}: {_ABSENT[what]}." if what in _ABSENT else None


def _outcome(error):
    """(error type, text) for what the plugin raised; ("", "") if it ended well."""
    if isinstance(error, SystemExit):
        code = error.code
        if code is None or code == 0:
            return "", ""
        text = f"the plugin ended with exit status {code}" if isinstance(code, int) else str(code)
        return "plugin_error", _cut(text)
    hint = ""
    kind = "plugin_error"
    if isinstance(error, MemoryError):
        # CPython's parser says so too when a source is nested too deeply; only that one has a text.
        kind = "plugin_error" if error.args else "out_of_memory"
    elif isinstance(error, _AIError):
        kind = f"ai_error:{error.code}"
    elif (refusal := _refusal(error)) is not None:
        kind = "sandbox_violation"
        hint = f"\n{refusal}"
    # The first frame is `_serve` itself, which is none of the plugin's business.
    trace = error.__traceback__.tb_next if error.__traceback__ is not None else None
    text = "".join(traceback.format_exception(type(error), error, trace, _MAX_FRAMES))
    text = text.replace(_BUILT_IN, "lib/python3.12/")
    return kind, _cut(text).rstrip() + hint


def _cut(text):
    if len(text) <= _MAX_ERROR_CHARACTERS:
        return text
    half = _MAX_ERROR_CHARACTERS // 2
    return f"{text[:half]}\n… {len(text) - 2 * half} characters left out …\n{text[-half:]}"


def _report(error, _write=os.write):
    try:
        kind, text = _outcome(error) if error is not None else ("", "")
    except MemoryError:
        kind, text = "out_of_memory", "the plugin ran out of memory"
    except BaseException as second:
        kind, text = "plugin_error", f"{type(error).__name__} (its traceback can't be printed: {type(second).__name__})"
    _write(_CHANNEL, _RESULT + kind.encode("utf-8", "replace") + b"\0" + text.encode("utf-8", "replace"))


_stdin = io.BytesIO()
_prepared = []


def _prepare():
    """Compile the plugin and import what its top level imports from the standard library; run nothing of it."""
    error = None
    try:
        source = _receive().decode("utf-8").removeprefix("\ufeff")
        code = compile(source, _FILE, "exec", dont_inherit=True)
        linecache.cache[_FILE] = (len(source), None, io.StringIO(source + "\n", None).readlines(), _FILE)
        for name in _imports(code):
            if name.partition(".")[0] in sys.stdlib_module_names and name.partition(".")[0] not in _NOISY:
                try:
                    __import__(name)
                except BaseException:
                    pass  # the plugin will meet it where it stands
        main = types.ModuleType("__main__")
        main.__file__ = _FILE
        sys.modules["__main__"] = main
        sys.stdin = io.TextIOWrapper(_stdin, "utf-8", "replace")
        _prepared[:] = code, main.__dict__
        gc.collect()
        gc.freeze()
    except BaseException as caught:
        error = caught
    _report(error)


def _imports(code):
    """Names that the top level of ``code`` imports (dis: IMPORT_NAME, with EXTENDED_ARG before it)."""
    argument = 0
    for operation, low in zip(code.co_code[::2], code.co_code[1::2], strict=True):
        argument = argument << 8 | low
        if operation == _IMPORT_NAME:
            yield code.co_names[argument]
        if operation != _EXTENDED_ARG:
            argument = 0


# What a plugin may have patched by the time it is needed again is bound here, as a default.
def _serve(_exec=exec, _report=_report):
    """One call: read the task, run the plugin, report. Whatever the plugin did to this interpreter ends with it."""
    error = None
    try:
        data = _transport.input = _receive()[_TASK_HEADER:]
        # Seeded before the snapshot, every call would draw the same numbers.
        random.seed(int.from_bytes(os.urandom(32), "little"))
        _stdin.write(data)
        _stdin.seek(0)
        del data
        _exec(*_prepared)
        if atexit._ncallbacks() > _atexit_callbacks:
            atexit._run_exitfuncs()
    except BaseException as caught:
        error = caught
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        pass
    _report(error)


def _check():
    """Compile the source that comes and look for imports that can't work; run nothing of it."""
    result = {"ok": True}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            source = _receive().decode("utf-8").removeprefix("\ufeff")
            compile(source, _FILE, "exec", dont_inherit=True)
            result = _check_imports(ast.parse(source))
    except SyntaxError as error:
        result = {"ok": False, "message": str(error.msg), "line": error.lineno, "column": error.offset}
    except (RecursionError, MemoryError) as error:
        result = {"ok": False, "message": f"the source is too large or too deeply nested ({type(error).__name__})"}
    except BaseException as error:
        result = {"ok": False, "message": f"{type(error).__name__}: {error}"}
    os.write(_CHANNEL, _RESULT + b"\0" + json.dumps(result).encode())


def _check_imports(tree):
    """The first import that is bound to fail. One inside `try` or `if` is the plugin's own affair."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, (ast.Try, ast.TryStar, ast.If)):
            continue
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module] if node.module and not node.level else []
        else:
            waiting.extend(ast.iter_child_nodes(node))
            continue
        for name in names:
            if (problem := _import_problem(name)) is not None:
                return {"ok": False, "message": problem, "line": node.lineno, "column": node.col_offset + 1}
    return {"ok": True}


def _import_problem(name):
    """Why ``import name`` can't work here; None if it can."""
    top = name.partition(".")[0]
    if top in _NOISY or top == "platform_sdk":
        return None
    if top not in sys.stdlib_module_names:
        return f"there is no module {name!r} in the sandbox: a plugin has the standard library and platform_sdk"
    try:
        __import__(name)
    except ImportError as error:
        missing = str(error.name or name).removeprefix("_")
        reason = _ABSENT.get(name) or _ABSENT.get(missing) or "it needs what this Python was built without"
        return f"module {name!r} can't be imported in the sandbox: {reason}"
    except BaseException:
        pass  # it is there; what it does is for the plugin to see
    return None


# A line at a time, so that the log of a plugin that gets killed is there up to its last line.
sys.stdout = io.TextIOWrapper(open(1, "wb"), "utf-8", "replace", line_buffering=True)
sys.stderr = io.TextIOWrapper(open(2, "wb"), "utf-8", "backslashreplace", line_buffering=True)
sys.__stdout__, sys.__stderr__ = sys.stdout, sys.stderr
sys.argv = [_FILE]
sys.path[:] = [path for path in sys.path if path]

_SAMPLE = """
from math import *
import json
def f(x, *a, k=1):
    return [y for y in range(x)]
f(3)
class C: pass
"""
# The first compile() builds the types of the syntax tree (20 ms), the first traceback imports its parts.
for _ in range(3):
    json.loads(json.dumps({"a": [1, "x", None, 1.5]}).encode())
    exec(compile(_SAMPLE, "sample.py", "exec"), {})
    try:
        exec(compile("def f():\n    return 1/0\nf()\n", _FILE, "exec"), {})
    except ZeroDivisionError as _error:
        linecache.cache[_FILE] = (3, None, ["def f():\n", "    return 1/0\n", "f()\n"], _FILE)
        _outcome(_error)
        del linecache.cache[_FILE], _error
    random.seed()
    _loop = _EventLoop()
    _loop.run_until_complete(asyncio.sleep(0))
    _loop.close()
del _loop
_atexit_callbacks = atexit._ncallbacks()
_arguments = ()

# Room at the top of memory, so that an ordinary call does not make it grow (a grown memory can't shrink again).
_room = bytearray(24 * 1024 * 1024)
del _room
gc.collect()
gc.freeze()

# Tell the host what to call: the addresses of three functions, their (empty) arguments and their type.
_addresses = id(_serve), id(_check), id(_prepare), id(_arguments), id(type(_serve))
os.write(_CHANNEL, _READY + struct.pack("<IIIII", *_addresses))
# The checkpoint: the host ends this call of clock_res_get by unwinding, and takes the snapshot. It must be a call that
# CPython makes with the interpreter lock held, or the next invocation would find it released.
time.clock_getres(time.CLOCK_MONOTONIC)
