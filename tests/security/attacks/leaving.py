"""What one call changes, the next must not find: every case here is followed by a look around in the same process."""

from tests.security.attacks.attack import Attack

_QUIET = {"error": "", "fit": True}

ATTACKS = (
    Attack("builtins", "import builtins\nbuiltins.len = lambda x: 42\nbuiltins.left = 'here'", **_QUIET),
    Attack(
        "functions of modules",
        "json.dumps = json.loads = os.read = os.write = lambda *a, **k: 'owned'",
        error=("", "plugin_error"),
        fit=None,
    ),
    Attack(
        "modules", "import types\nsys.modules['left'] = sys.modules['decimal'] = types.ModuleType('left')", **_QUIET
    ),
    Attack(
        "the SDK",
        "platform_sdk.send_output = platform_sdk.get_input = platform_sdk.get_input_bytes = lambda *a: b'owned'",
        **_QUIET,
    ),
    Attack(
        "the transport",
        "import _wasmforge\n_wasmforge.input = b'left'\n_wasmforge.send_output = _wasmforge.request = print",
        **_QUIET,
    ),
    Attack("its own globals", "left = 'here'\nglobals().update({str(n): n for n in range(1000)})", **_QUIET),
    Attack(
        "methods of int",
        "d = next(o for o in gc.get_referents(int.__dict__) if type(o) is dict)\nd['__add__'] = lambda a, b: 5\nd['left'] = 1",
        error=("", "plugin_error"),
        fit=None,
    ),
    Attack(
        "the limit of recursion", "sys.setrecursionlimit(60 if False else 5000)\nsys.setswitchinterval(5)", **_QUIET
    ),
    Attack(
        "the collector",
        "gc.disable()\ngc.set_threshold(7, 7, 7)\ngc.garbage.append(1)\ngc.callbacks.append(print)\ngc.unfreeze()",
        **_QUIET,
    ),
    Attack(
        "filters and logs",
        "import warnings, logging\nwarnings.simplefilter('error')\nlogging.basicConfig(level=1)\nlogging.getLogger('left').setLevel(10)",
        **_QUIET,
    ),
    Attack(
        "locale and decimals",
        "import locale, decimal\nlocale.setlocale(locale.LC_ALL, 'C.UTF-8')\ndecimal.getcontext().prec = 3\ndecimal.DefaultContext.prec = 2",
        error=("", "plugin_error"),
        fit=True,
    ),
    Attack(
        "codecs",
        "import codecs\ncodecs.register(lambda n: codecs.lookup('utf-8'))\ncodecs.register_error('strict', lambda e: ('', 0))\n'x'.encode('left')",
        **_QUIET,
    ),
    Attack(
        "signals and exits",
        "import signal, atexit\nsignal.signal(2, signal.SIG_IGN)\natexit.register(lambda: None)\natexit._clear()\natexit.register(lambda: None)",
        **_QUIET,
    ),
    Attack(
        "caches",
        "import re, linecache, functools\nfor n in range(600): re.compile(f'a{{{n}}}')\nlinecache.cache['plugin.py'] = (1, None, ['left'], 'x')\nsys.intern('left' * 10)",
        **_QUIET,
    ),
    Attack(
        "paths and finders",
        "sys.path.append('/left')\nsys.meta_path.insert(0, None)\nsys.path_hooks.append(print)\nsys.path_importer_cache['left'] = None\nsys.argv.append('left')",
        **_QUIET,
    ),
    Attack("the environment", "os.environ['LEFT'] = 'here'\nos.putenv('LEFT2', 'here')", **_QUIET),
    Attack(
        "hooks and tracers",
        "sys.excepthook = sys.displayhook = sys.unraisablehook = print\nsys.breakpointhook = print\nsys.setprofile(lambda *a: None)",
        **_QUIET,
    ),
    Attack(
        "streams",
        "sys.stdin.close()\nsys.stdout.reconfigure(encoding='latin-1', line_buffering=False)\nsys.stderr.detach()\nprint('left', end='')",
        error=("", "plugin_error"),
        fit=True,
    ),
    Attack("half a line", "sys.stdout.buffer.write(b'left')\nsys.stdin.read(1)", data=b"input of this call", **_QUIET),
    Attack("the input", "platform_sdk.get_input()", data=b"secret " * 1000, **_QUIET),
    Attack(
        "classes",
        "import abc, collections.abc, copyreg, dataclasses\ncollections.abc.Sized.register(int)\ncopyreg.pickle(int, print)\nkept = [type(f'L{n}', (Exception,), {}) for n in range(100)]\nsys.left = kept",
        **_QUIET,
    ),
    Attack("random numbers", "random.seed(1)\nrandom.random = lambda: 4\nrandom._inst.seed = print", **_QUIET),
    Attack(
        "one second of work", "import time\nt = time.monotonic()\nwhile time.monotonic() < t + 0.05: pass", **_QUIET
    ),
    Attack("much memory written", "x = [bytes([n % 256]) * 4096 for n in range(2500)]", **_QUIET),
    Attack(
        "all of its memory written",
        "import ast\nx = [bytearray(b'LEFT' * 1024) for n in range(4500)]",
        error=("", "out_of_memory"),
        fit=None,
    ),
    Attack(
        "a function of the platform",
        "import types\nfor f in gc.get_objects():\n    if type(f) is types.FunctionType and f.__name__ in ('_report', '_receive', '_outcome'): f.__defaults__ = (print,); f.left = 1",
        error=("", "plugin_error"),
        fit=None,
    ),
    Attack(
        "context variables and threads' own",
        "import contextvars, threading\ncontextvars.ContextVar('left').set(1)\nthreading.local().x = 1\nthreading.current_thread().name = 'left'\nthreading.settrace(print)",
        **_QUIET,
    ),
    Attack(
        "an event loop",
        "import asyncio\nl = asyncio.new_event_loop()\nasyncio.set_event_loop(l)\nl.call_later(0, print)\nasyncio.set_event_loop_policy(asyncio.DefaultEventLoopPolicy())",
        **_QUIET,
    ),
    Attack("frozen objects", "left = [object() for _ in range(1000)]\ngc.freeze()\nsys.left = left", **_QUIET),
    Attack(
        "generators that never end", "def g():\n    try: yield\n    finally: sys.left = 1\nx = g(); next(x)", **_QUIET
    ),
)
