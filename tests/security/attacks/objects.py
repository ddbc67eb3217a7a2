# ruff: noqa: E501 -- what is hostile stays in one piece
"""Garbage collection, ``__del__``, pickles, imports: what the object model offers to somebody who wants to surprise."""

from tests.security.attacks.attack import NOTHING, Attack

ATTACKS = (
    Attack(
        "an end that raises",
        """
        class A:
            def __del__(self): raise SystemExit(3)
        x = A()
        del x
        platform_sdk.send_output('ok')
        """,
        output="ok",
        fit=True,
    ),
    Attack(
        "an end after the end",
        """
        class A:
            def __del__(self): print('late')
        x = A()
        x.x = x
        """,
        fit=True,
    ),
    Attack(
        "it rises again",
        """
        kept = []
        class A:
            def __del__(self): kept.append(self)
        for _ in range(1000): A()
        platform_sdk.send_output(len(kept))
        """,
        output="1000",
        fit=True,
    ),
    Attack(
        "it never ends ending",
        """
        class A:
            def __del__(self): A()
        A()
        """,
        error=("plugin_error", "timeout", ""),
        limits={"timeout_ms": 1000},
    ),
    Attack(
        "an end without end",
        """
        class A:
            def __del__(self):
                while True: pass
        A()
        """,
        error="timeout",
        limits={"timeout_ms": 300},
    ),
    Attack(
        "an exit without end",
        """
        import atexit
        @atexit.register
        def f():
            while True: pass
        """,
        error="timeout",
        limits={"timeout_ms": 300},
    ),
    Attack(
        "an exit that registers exits",
        """
        import atexit
        def f(): atexit.register(f)
        f()
        """,
        error=("", "timeout"),
        limits={"timeout_ms": 500},
    ),
    Attack(
        "exits without number",
        """
        import atexit
        for _ in range(20_000): atexit.register(print, end='')
        platform_sdk.send_output('ok')
        """,
        output="ok",
    ),
    Attack(
        "callbacks of the collector",
        """
        gc.callbacks.append(lambda *a: 1/0)
        gc.collect()
        platform_sdk.send_output('ok')
        """,
        output="ok",
        fit=True,
    ),
    Attack(
        "no collector",
        "gc.disable(); gc.set_threshold(1); gc.unfreeze(); gc.set_debug(gc.DEBUG_SAVEALL); gc.collect()",
        fit=True,
    ),
    Attack(
        "weak references that call",
        """
        import weakref
        class A: pass
        a = A()
        r = weakref.ref(a, lambda r: os._exit(0))
        del a
        """,
        error="",
        fit=False,
    ),
    Attack(
        "every object forgotten",
        """
        for o in gc.get_objects():
            try: o.clear()
            except BaseException: pass
        """,
        error=("plugin_error", "", "sandbox_violation", "timeout"),
        limits={"timeout_ms": 2000},
    ),
    Attack(
        "every module emptied",
        "for m in list(sys.modules.values()):\n    if m is not sys: vars(m).clear()",
        error=("plugin_error", ""),
        limits={"timeout_ms": 2000},
    ),
    Attack(
        "every function replaced",
        """
        import types
        c = (lambda *a, **k: None).__code__
        for f in gc.get_objects():
            if type(f) is types.FunctionType and not f.__code__.co_freevars:
                f.__code__ = c
        """,
        error=("plugin_error", ""),
        limits={"timeout_ms": 2000},
    ),
    Attack(
        "a pickle that runs a shell",
        "import pickle\npickle.loads(b\"cos\\nsystem\\n(S'id'\\ntR.\")",
        error="plugin_error",
        says="system",
        fit=True,
    ),
    Attack(
        "a pickle that evaluates",
        'import pickle\npickle.loads(b"cbuiltins\\neval\\n(S\'__import__(\\"os\\")._exit(4)\'\\ntR.")',
        error="plugin_error",
        says="4",
        fit=False,
    ),
    Attack(
        "pickles of rubbish",
        """
        import pickle
        for n in range(3000):
            try: pickle.loads(random.randbytes(60))
            except Exception: pass
        platform_sdk.send_output('ok')
        """,
        error=("", "plugin_error", "out_of_memory"),
    ),
    Attack(
        "code of rubbish",
        """
        import marshal
        for n in range(3000):
            try: marshal.loads(b'\\xe3' + random.randbytes(60))
            except Exception: pass
        platform_sdk.send_output('ok')
        """,
        error=("", "plugin_error", "out_of_memory", "timeout"),
        limits={"timeout_ms": 5000},
    ),
    Attack(
        "code that is none",
        """
        def f(): pass
        for n in range(1, 40):
            c = f.__code__.replace(co_code=random.randbytes(2 * n), co_stacksize=1)
            try: exec(c)
            except Exception: pass
        """,
        error=("", "plugin_error", "out_of_memory", "timeout"),
        limits={"timeout_ms": 1000},
    ),
    Attack(
        "a constant beyond its table",
        """
        def f(): return 1
        f.__code__ = f.__code__.replace(co_code=bytes([151, 0, 144, 255, 144, 255, 144, 255, 100, 255, 83, 0]))
        f()
        """,
        error=("plugin_error", "", "timeout"),
        limits={"timeout_ms": 1000},
    ),
    Attack(
        "a bug in a test module",
        "import _testcapi\n_testcapi.crash_no_current_thread()",
        error=("plugin_error", "sandbox_violation"),
        limits={"timeout_ms": 2000},
    ),
    Attack("a fatal error of its own", "import _testcapi\n_testcapi.fatal_error(b'owned')", error="plugin_error"),
    Attack(
        "memory written beyond its end",
        "import _testcapi\n_testcapi.pymem_buffer_overflow()",
        error=("", "plugin_error"),
    ),
    Attack(
        "native modules",
        """
        def ctypes(): import ctypes; return ctypes
        def below(): import _ctypes; return _ctypes
        def mmap(): import mmap; return mmap
        def fcntl(): import fcntl; return fcntl
        def resource(): import resource; return resource
        def shared(): import _posixshmem; return _posixshmem
        def dynamic(): import _imp, importlib.machinery as m; return _imp.create_dynamic(m.ModuleSpec("x", None, origin="/lib/x.so"))
        def extension(): import importlib.util as u; return u.module_from_spec(u.spec_from_file_location("x", "/lib/x.so"))
        def ssl(): import ssl; return ssl
        def pip(): import pip; return pip
        def site(): import site; site.main(); return os.environ.get("USER") or 1 / 0
        attempt(ctypes=ctypes, below=below, mmap=mmap, fcntl=fcntl, resource=resource, shared=shared, dynamic=dynamic,
                extension=extension, ssl=ssl, pip=pip, site=site)
        """,
        output=NOTHING,
        fit=True,
    ),
    Attack("modules that do things", "import this, antigravity", error=("", "sandbox_violation", "plugin_error")),
    Attack(
        "a module path of its own",
        """
        sys.path.insert(0, '/tmp')
        sys.path_hooks.clear()
        sys.path_importer_cache.clear()
        import uuid
        import nothing
        """,
        error="plugin_error",
        says="nothing",
        fit=True,
    ),
    Attack("modules taken away", "sys.modules.clear()", error=("", "plugin_error")),
    Attack("builtins taken away", "import builtins\nvars(builtins).clear()", error=("plugin_error", "")),
    Attack(
        "print taken away",
        """
        import builtins
        builtins.print = builtins.open = builtins.__import__ = builtins.compile = None
        raise KeyError('x')
        """,
        error="plugin_error",
        says="KeyError",
        fit=True,
    ),
    Attack(
        "the SDK from the inside",
        "import _wasmforge\nprint(sorted(n for n in dir(_wasmforge) if not n.startswith('__')))",
        output="['input', 'request', 'send_chunk', 'send_output']\n",
        fit=True,
    ),
    Attack(
        "debuggers",
        "import bdb, pdb\npdb.set_trace()",
        error=("plugin_error", "sandbox_violation", ""),
        limits={"timeout_ms": 3000},
    ),
    Attack("input asked for", "input()", error="plugin_error", says="EOFError", fit=True),
    Attack(
        "a tracer",
        """
        sys.settrace(lambda *a: 1/0)
        sys.setprofile(lambda *a: 1/0)
        platform_sdk.get_input()
        """,
        error="plugin_error",
        fit=True,
    ),
)
