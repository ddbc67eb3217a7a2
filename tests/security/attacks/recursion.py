"""Recursion in Python and in C: an error, or the end of the interpreter, and of nothing else."""

from tests.security.attacks.attack import Attack

_DEEP = ("plugin_error", "out_of_memory", "")

ATTACKS = (
    Attack("a function", "def f(): f()\nf()", error="plugin_error", says="RecursionError", fit=True),
    Attack(
        "a function without a limit",
        """
        sys.setrecursionlimit(2**31 - 1)
        x = bytearray(24 << 20)
        def f(): f()
        f()
        """,
        error=_DEEP[:2],
        limits={"memory_bytes": 64 << 20},
    ),
    Attack(
        "through C, without a limit",
        """
        sys.setrecursionlimit(2**31 - 1)
        class A:
            def __getattr__(self, name): return getattr(self, name + 'x')
        A().x
        """,
        error=_DEEP[:2],
    ),
    Attack(
        "by its own repr",
        """
        sys.setrecursionlimit(2**31 - 1)
        class A:
            def __repr__(self): return repr([self])
        repr(A())
        """,
        error=_DEEP[:2],
    ),
    Attack(
        "lists in lists",
        """
        x = []
        for _ in range(20_000): x = [x]
        print(len(repr(x)))
        """,
        error=_DEEP,
    ),
    Attack("JSON in JSON", "json.loads('[' * 100_000)", error="plugin_error"),
    Attack(
        "JSON of nested lists",
        """
        x = []
        for _ in range(20_000): x = [x]
        json.dumps(x)
        """,
        error="plugin_error",
    ),
    Attack(
        "a pickle of nested lists",
        """
        import pickle
        x = []
        for _ in range(20_000): x = [x]
        pickle.dumps(x)
        """,
        error=_DEEP[:2],
    ),
    Attack(
        "a copy of nested lists",
        """
        import copy
        x = []
        for _ in range(20_000): x = [x]
        copy.deepcopy(x)
        """,
        error="plugin_error",
        says="RecursionError",
    ),
    Attack(
        "comparing lists that hold themselves",
        """
        a = []; a.append(a)
        b = []; b.append(b)
        a == b
        """,
        error="plugin_error",
        says="RecursionError",
        fit=True,
    ),
    Attack(
        "hashing nested tuples",
        """
        x = ()
        for _ in range(20_000): x = (x,)
        hash(x)
        """,
        error=_DEEP,
    ),
    Attack(
        "instances of nested tuples",
        """
        x = int
        for _ in range(20_000): x = (x,)
        isinstance('', x)
        """,
        error=_DEEP,
    ),
    Attack(
        "a chain of iterators",
        """
        import itertools
        x = iter([1])
        for _ in range(20_000): x = itertools.chain(x)
        next(x)
        """,
        error=_DEEP,
    ),
    Attack(
        "a chain of generators",
        """
        def g(x): yield from x
        x = iter([1])
        for _ in range(20_000): x = g(x)
        next(x)
        """,
        error=_DEEP,
    ),
    Attack(
        "a chain of contexts",
        """
        e = None
        for _ in range(2_000):
            n = ValueError(); n.__context__ = e; e = n
        raise e
        """,
        error=("plugin_error", "timeout"),
        limits={"timeout_ms": 1000},
    ),
    Attack(
        "the end of a deep structure",
        """
        x = None
        for _ in range(50_000): x = (x,)
        del x
        platform_sdk.send_output('ok')
        """,
        output="ok",
    ),
    Attack(
        "the end of deep generators",
        """
        def g(x): yield x
        x = None
        for _ in range(10_000):
            x = g(x); next(x)
        del x
        platform_sdk.send_output('ok')
        """,
        error=("", "plugin_error"),
    ),
    Attack(
        "subclasses of subclasses",
        """
        c = object
        for i in range(300): c = type('C', (c,), {})
        print(len(c.__mro__))
        """,
        error=("", "plugin_error", "out_of_memory"),
    ),
    Attack(
        "a method of itself",
        """
        class A: pass
        a = A()
        A.__call__ = a
        a()
        """,
        error=_DEEP[:2],
    ),
    Attack(
        "a property of itself",
        """
        sys.setrecursionlimit(10**9)
        class A:
            @property
            def x(self): return self.x
        A().x
        """,
        error=_DEEP[:2],
    ),
    Attack(
        "imports of imports",
        """
        class F:
            def find_spec(self, name, path=None, target=None): return __import__(name + 'x')
        sys.meta_path.insert(0, F())
        import zzz
        """,
        error=_DEEP[:2],
    ),
)
