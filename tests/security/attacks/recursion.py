"""Recursion in Python and in C: an error, or the end of the interpreter, and of nothing else."""

from tests.security.attacks.attack import Attack

_DEEP = ("plugin_error", "out_of_memory", "")

ATTACKS = (
    Attack("a function", "def f(): f()\nf()", error="plugin_error", says="RecursionError", fit=True),
    Attack("a function without a limit", "sys.setrecursionlimit(2**31 - 1)\ndef f(): f()\nf()", error=_DEEP[:2]),
    Attack(
        "through C, without a limit",
        "sys.setrecursionlimit(2**31 - 1)\nclass A:\n    def __getattr__(self, name): return getattr(self, name + 'x')\nA().x",
        error=_DEEP[:2],
    ),
    Attack(
        "by its own repr",
        "sys.setrecursionlimit(2**31 - 1)\nclass A:\n    def __repr__(self): return repr([self])\nrepr(A())",
        error=_DEEP[:2],
    ),
    Attack("lists in lists", "x = []\nfor _ in range(20_000): x = [x]\nprint(len(repr(x)))", error=_DEEP),
    Attack("JSON in JSON", "json.loads('[' * 100_000)", error="plugin_error"),
    Attack("JSON of nested lists", "x = []\nfor _ in range(20_000): x = [x]\njson.dumps(x)", error="plugin_error"),
    Attack(
        "a pickle of nested lists",
        "import pickle\nx = []\nfor _ in range(20_000): x = [x]\npickle.dumps(x)",
        error=_DEEP[:2],
    ),
    Attack(
        "a copy of nested lists",
        "import copy\nx = []\nfor _ in range(20_000): x = [x]\ncopy.deepcopy(x)",
        error="plugin_error",
        says="RecursionError",
    ),
    Attack(
        "comparing lists that hold themselves",
        "a = []; a.append(a)\nb = []; b.append(b)\na == b",
        error="plugin_error",
        says="RecursionError",
        fit=True,
    ),
    Attack("hashing nested tuples", "x = ()\nfor _ in range(20_000): x = (x,)\nhash(x)", error=_DEEP),
    Attack("instances of nested tuples", "x = int\nfor _ in range(20_000): x = (x,)\nisinstance('', x)", error=_DEEP),
    Attack(
        "a chain of iterators",
        "import itertools\nx = iter([1])\nfor _ in range(20_000): x = itertools.chain(x)\nnext(x)",
        error=_DEEP,
    ),
    Attack(
        "a chain of generators",
        "def g(x): yield from x\nx = iter([1])\nfor _ in range(20_000): x = g(x)\nnext(x)",
        error=_DEEP,
    ),
    Attack(
        "a chain of contexts",
        "e = None\nfor _ in range(2_000):\n    n = ValueError(); n.__context__ = e; e = n\nraise e",
        error=("plugin_error", "timeout"),
        limits={"timeout_ms": 1000},
    ),
    Attack(
        "the end of a deep structure",
        "x = None\nfor _ in range(50_000): x = (x,)\ndel x\nplatform_sdk.send_output('ok')",
        output="ok",
    ),
    Attack(
        "the end of deep generators",
        "def g(x): yield x\nx = None\nfor _ in range(10_000):\n    x = g(x); next(x)\ndel x\nplatform_sdk.send_output('ok')",
        error=("", "plugin_error"),
    ),
    Attack(
        "subclasses of subclasses",
        "c = object\nfor i in range(300): c = type('C', (c,), {})\nprint(len(c.__mro__))",
        error=("", "plugin_error", "out_of_memory"),
    ),
    Attack("a method of itself", "class A: pass\na = A()\nA.__call__ = a\na()", error=_DEEP[:2]),
    Attack(
        "a property of itself",
        "sys.setrecursionlimit(10**9)\nclass A:\n    @property\n    def x(self): return self.x\nA().x",
        error=_DEEP[:2],
    ),
    Attack(
        "imports of imports",
        "class F:\n    def find_spec(self, name, path=None, target=None): return __import__(name + 'x')\nsys.meta_path.insert(0, F())\nimport zzz",
        error=_DEEP[:2],
    ),
)
