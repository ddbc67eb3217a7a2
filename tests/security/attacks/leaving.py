# ruff: noqa: E501 -- what is hostile stays in one piece
"""What one call changes, the next must not find: every case here is followed by a look around in the same process."""

from tests.security.attacks.attack import Attack

_QUIET = {"error": "", "fit": True}

ATTACKS = (
    Attack(
        "builtins",
        """
        import builtins
        builtins.len = lambda x: 42
        builtins.left = 'here'
        """,
        **_QUIET,
    ),
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
        """
        import _wasmforge
        _wasmforge.input = b'left'
        _wasmforge.send_output = _wasmforge.request = print
        """,
        **_QUIET,
    ),
    Attack("its own globals", "left = 'here'\nglobals().update({str(n): n for n in range(1000)})", **_QUIET),
    Attack(
        "methods of int",
        """
        d = next(o for o in gc.get_referents(int.__dict__) if type(o) is dict)
        d['__add__'] = lambda a, b: 5
        d['left'] = 1
        """,
        error=("", "plugin_error"),
        fit=None,
    ),
    Attack("the limit of recursion", "sys.setrecursionlimit(5000)\nsys.setswitchinterval(5)", **_QUIET),
    Attack(
        "the collector",
        """
        gc.disable()
        gc.set_threshold(7, 7, 7)
        gc.garbage.append(1)
        gc.callbacks.append(print)
        gc.unfreeze()
        """,
        **_QUIET,
    ),
    Attack(
        "filters and logs",
        """
        import warnings, logging
        warnings.simplefilter('error')
        logging.basicConfig(level=1)
        logging.getLogger('left').setLevel(10)
        """,
        **_QUIET,
    ),
    Attack(
        "locale and decimals",
        """
        import locale, decimal
        locale.setlocale(locale.LC_ALL, 'C.UTF-8')
        decimal.getcontext().prec = 3
        decimal.DefaultContext.prec = 2
        """,
        error=("", "plugin_error"),
        fit=True,
    ),
    Attack(
        "codecs",
        """
        import codecs
        codecs.register(lambda n: codecs.lookup('utf-8'))
        codecs.register_error('strict', lambda e: ('', 0))
        'x'.encode('left')
        """,
        **_QUIET,
    ),
    Attack(
        "signals and exits",
        """
        import signal, atexit
        signal.signal(2, signal.SIG_IGN)
        atexit.register(lambda: None)
        atexit._clear()
        atexit.register(lambda: None)
        """,
        **_QUIET,
    ),
    Attack(
        "caches",
        """
        import re, linecache, functools
        for n in range(600): re.compile(f'a{{{n}}}')
        linecache.cache['plugin.py'] = (1, None, ['left'], 'x')
        sys.intern('left' * 10)
        """,
        **_QUIET,
    ),
    Attack(
        "paths and finders",
        """
        sys.path.append('/left')
        sys.meta_path.insert(0, None)
        sys.path_hooks.append(print)
        sys.path_importer_cache['left'] = None
        sys.argv.append('left')
        """,
        **_QUIET,
    ),
    Attack("the environment", "os.environ['LEFT'] = 'here'\nos.putenv('LEFT2', 'here')", **_QUIET),
    Attack(
        "hooks and tracers",
        """
        sys.excepthook = sys.displayhook = sys.unraisablehook = print
        sys.breakpointhook = print
        sys.setprofile(lambda *a: None)
        """,
        **_QUIET,
    ),
    Attack(
        "streams",
        """
        sys.stdin.close()
        sys.stdout.reconfigure(encoding='latin-1', line_buffering=False)
        sys.stderr.detach()
        print('left', end='')
        """,
        error=("", "plugin_error"),
        fit=True,
    ),
    Attack(
        "half a line",
        """
        sys.stdout.buffer.write(b'left')
        sys.stdin.read(1)
        """,
        data=b"input of this call",
        **_QUIET,
    ),
    Attack("the input", "platform_sdk.get_input()", data=b"secret " * 1000, **_QUIET),
    Attack(
        "classes",
        """
        import abc, collections.abc, copyreg, dataclasses
        collections.abc.Sized.register(int)
        copyreg.pickle(int, print)
        kept = [type(f'L{n}', (Exception,), {}) for n in range(100)]
        sys.left = kept
        """,
        **_QUIET,
    ),
    Attack(
        "random numbers",
        """
        random.seed(1)
        random.random = lambda: 4
        random._inst.seed = print
        """,
        **_QUIET,
    ),
    Attack(
        "one second of work",
        """
        import time
        t = time.monotonic()
        while time.monotonic() < t + 0.05: pass
        """,
        **_QUIET,
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
        """
        import types
        for f in gc.get_objects():
            if type(f) is types.FunctionType and f.__name__ in ('_report', '_receive', '_outcome'): f.__defaults__ = (print,); f.left = 1
        """,
        error=("", "plugin_error"),
        fit=None,
    ),
    Attack(
        "context variables and threads' own",
        """
        import contextvars, threading
        contextvars.ContextVar('left').set(1)
        threading.local().x = 1
        threading.current_thread().name = 'left'
        threading.settrace(print)
        """,
        **_QUIET,
    ),
    Attack(
        "an event loop",
        """
        import asyncio
        l = asyncio.new_event_loop()
        asyncio.set_event_loop(l)
        l.call_later(0, print)
        asyncio.set_event_loop_policy(asyncio.DefaultEventLoopPolicy())
        """,
        **_QUIET,
    ),
    Attack(
        "frozen objects",
        """
        left = [object() for _ in range(1000)]
        gc.freeze()
        sys.left = left
        """,
        **_QUIET,
    ),
    Attack(
        "generators that never end",
        """
        def g():
            try: yield
            finally: sys.left = 1
        x = g(); next(x)
        """,
        **_QUIET,
    ),
)
