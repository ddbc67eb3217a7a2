"""Garbage collection, ``__del__``, pickles, imports: what the object model offers to somebody who wants to surprise."""

from tests.security.attacks.attack import NOTHING, Attack

ATTACKS = (
    Attack(
        "an end that raises",
        "class A:\n    def __del__(self): raise SystemExit(3)\nx = A()\ndel x\nplatform_sdk.send_output('ok')",
        output="ok",
        fit=True,
    ),
    Attack("an end after the end", "class A:\n    def __del__(self): print('late')\nx = A()\nx.x = x", fit=True),
    Attack(
        "it rises again",
        "kept = []\nclass A:\n    def __del__(self): kept.append(self)\nfor _ in range(1000): A()\nplatform_sdk.send_output(len(kept))",
        output="1000",
        fit=True,
    ),
    Attack(
        "it never ends ending",
        "class A:\n    def __del__(self): A()\nA()",
        error=("plugin_error", "timeout", ""),
        limits={"timeout_ms": 1000},
    ),
    Attack(
        "an end without end",
        "class A:\n    def __del__(self):\n        while True: pass\nA()",
        error="timeout",
        limits={"timeout_ms": 300},
    ),
    Attack(
        "an exit without end",
        "import atexit\n@atexit.register\ndef f():\n    while True: pass",
        error="timeout",
        limits={"timeout_ms": 300},
    ),
    Attack(
        "an exit that registers exits",
        "import atexit\ndef f(): atexit.register(f)\nf()",
        error=("", "timeout"),
        limits={"timeout_ms": 500},
    ),
    Attack(
        "exits without number",
        "import atexit\nfor _ in range(20_000): atexit.register(print, end='')\nplatform_sdk.send_output('ok')",
        output="ok",
    ),
    Attack(
        "callbacks of the collector",
        "gc.callbacks.append(lambda *a: 1/0)\ngc.collect()\nplatform_sdk.send_output('ok')",
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
        "import weakref\nclass A: pass\na = A()\nr = weakref.ref(a, lambda r: os._exit(0))\ndel a",
        error="",
        fit=False,
    ),
    Attack(
        "every object forgotten",
        "for o in gc.get_objects():\n    try: o.clear()\n    except BaseException: pass",
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
        "import types\nc = (lambda *a, **k: None).__code__\nfor f in gc.get_objects():\n    if type(f) is types.FunctionType and not f.__code__.co_freevars:\n        f.__code__ = c",
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
        "import pickle\nfor n in range(3000):\n    try: pickle.loads(random.randbytes(60))\n    except Exception: pass\nplatform_sdk.send_output('ok')",
        error=("", "plugin_error", "out_of_memory"),
    ),
    Attack(
        "code of rubbish",
        "import marshal\nfor n in range(3000):\n    try: marshal.loads(b'\\xe3' + random.randbytes(60))\n    except Exception: pass\nplatform_sdk.send_output('ok')",
        error=("", "plugin_error", "out_of_memory", "timeout"),
        limits={"timeout_ms": 5000},
    ),
    Attack(
        "code that is none",
        "def f(): pass\nfor n in range(1, 40):\n    c = f.__code__.replace(co_code=random.randbytes(2 * n), co_stacksize=1)\n    try: exec(c)\n    except Exception: pass",
        error=("", "plugin_error", "out_of_memory", "timeout"),
        limits={"timeout_ms": 1000},
    ),
    Attack(
        "a constant beyond its table",
        "def f(): return 1\nf.__code__ = f.__code__.replace(co_code=bytes([151, 0, 144, 255, 144, 255, 144, 255, 100, 255, 83, 0]))\nf()",
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
        "sys.path.insert(0, '/tmp')\nsys.path_hooks.clear()\nsys.path_importer_cache.clear()\nimport uuid\nimport nothing",
        error="plugin_error",
        says="nothing",
        fit=True,
    ),
    Attack("modules taken away", "sys.modules.clear()", error=("", "plugin_error")),
    Attack("builtins taken away", "import builtins\nvars(builtins).clear()", error=("plugin_error", "")),
    Attack(
        "print taken away",
        "import builtins\nbuiltins.print = builtins.open = builtins.__import__ = builtins.compile = None\nraise KeyError('x')",
        error="plugin_error",
        says="KeyError",
        fit=True,
    ),
    Attack(
        "the SDK from the inside",
        "import _wasmforge\nprint(sorted(n for n in dir(_wasmforge) if not n.startswith('__')))",
        output="['input', 'request', 'send_output']\n",
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
        "sys.settrace(lambda *a: 1/0)\nsys.setprofile(lambda *a: 1/0)\nplatform_sdk.get_input()",
        error="plugin_error",
        fit=True,
    ),
)
