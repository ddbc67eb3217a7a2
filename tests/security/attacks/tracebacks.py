"""What a plugin raises is text by the time anybody else sees it: hostile errors, and what tracebacks must not tell."""

from tests.security.attacks.attack import Attack

_QUICK = {"timeout_ms": 1000}


def _no_paths(text: str) -> bool:
    return not any(word in text for word in ("/wlr", "/usr/", "/work", "/home", "/root", "/tmp"))


ATTACKS = (
    Attack(
        "a text that raises",
        """
        class E(Exception):
            def __str__(self): raise self
        raise E
        """,
        error="plugin_error",
        says="E",
        fit=True,
    ),
    Attack(
        "a text that exits",
        """
        class E(Exception):
            def __str__(self): raise SystemExit(3)
        raise E
        """,
        error="plugin_error",
        fit=True,
    ),
    Attack(
        "a text that is none",
        """
        class E(Exception):
            def __str__(self): return 5
        raise E
        """,
        error="plugin_error",
        fit=True,
    ),
    Attack(
        "a text without end",
        """
        class E(Exception):
            def __str__(self):
                while True: pass
        raise E
        """,
        error="timeout",
        limits={"timeout_ms": 300},
    ),
    Attack(
        "a text of gigabytes",
        """
        class E(Exception):
            def __str__(self): return 'x' * (1 << 30)
        raise E
        """,
        error=("plugin_error", "out_of_memory"),
        fit=True,
    ),
    Attack(
        "a text that raises the same again",
        """
        class E(BaseException):
            def __str__(self): raise E
            __repr__ = __str__
        raise E
        """,
        error="plugin_error",
        fit=True,
    ),
    Attack(
        "a text that ends everything",
        """
        class E(Exception):
            def __str__(self): os._exit(0)
        raise E
        """,
        error=("", "plugin_error"),
        fit=False,
    ),
    Attack(
        "a class that lies",
        """
        class E(Exception):
            __class__ = property(lambda s: 1/0)
            __module__ = 5
            __qualname__ = 'x'
        raise E
        """,
        error="plugin_error",
        fit=True,
    ),
    Attack(
        "a metaclass that lies",
        """
        class M(type):
            __name__ = property(lambda s: 1/0)
            __qualname__ = property(lambda s: [])
            def __instancecheck__(self, o): raise E()
        class E(Exception, metaclass=M): pass
        raise E
        """,
        error="plugin_error",
        fit=True,
    ),
    Attack(
        "notes",
        """
        e = ValueError('x')
        e.__notes__ = ['a' * 1_000_000, 5, e]
        raise e
        """,
        error="plugin_error",
        fit=True,
    ),
    Attack(
        "notes that lie",
        """
        class E(Exception):
            __notes__ = property(lambda s: 1/0)
        raise E
        """,
        error="plugin_error",
        fit=True,
    ),
    Attack("arguments", "raise ValueError(*range(100_000))", error="plugin_error", says="left out", fit=True),
    Attack(
        "a cause of itself",
        "a = ValueError('a'); b = ValueError('b'); a.__cause__ = b; b.__cause__ = a; a.__context__ = a\nraise a",
        error="plugin_error",
        fit=True,
    ),
    Attack(
        "a group of a hundred thousand",
        "raise ExceptionGroup('g', [ValueError(n) for n in range(100_000)])",
        error=("plugin_error", "timeout"),
        limits=_QUICK,
    ),
    Attack(
        "groups in groups",
        """
        e = ValueError('x')
        for _ in range(500): e = ExceptionGroup('g', [e])
        raise e
        """,
        error="plugin_error",
        limits=_QUICK,
    ),
    Attack(
        "a syntax error of its own",
        """
        e = SyntaxError('x', ('/etc/passwd', 1, 1, 'code', 1 << 40, -5))
        e.text = 5
        raise e
        """,
        error="plugin_error",
        fit=True,
    ),
    Attack(
        "a syntax error of a billion columns",
        "raise SyntaxError('x', ('plugin.py', 10**9, 10**9, 'a' * 1000, 10**9, 10**9))",
        error="plugin_error",
        fit=True,
    ),
    Attack(
        "files in a traceback",
        "exec(compile('\\n' * 5 + '1/0', '/etc/passwd', 'exec'))",
        error="plugin_error",
        fit=True,
    ),
    Attack(
        "a loader of its own",
        """
        class L:
            def get_source(self, n): raise SystemExit(9)
        exec(compile('1/0', 'x', 'exec'), {'__loader__': L(), '__name__': 'n'})
        """,
        error="plugin_error",
        fit=True,
    ),
    Attack("a memory error of its own", "raise MemoryError", error="out_of_memory", fit=True),
    Attack(
        "an error that looks like a refusal",
        "raise PermissionError(13, 'x')",
        error=("plugin_error", "sandbox_violation"),
        fit=True,
    ),
    Attack(
        "an exit with an object",
        """
        class A:
            def __str__(self): raise ValueError
        raise SystemExit(A())
        """,
        error="plugin_error",
        fit=True,
    ),
    Attack("an exit with everything", "raise SystemExit('x' * 5_000_000)", error="plugin_error", fit=True),
    *(
        Attack(f"raises {name}", f"raise {name}", error=error, fit=True)
        for name, error in {
            "SystemExit": "",
            "SystemExit(0)": "",
            "SystemExit(-1)": "plugin_error",
            "KeyboardInterrupt": "plugin_error",
            "GeneratorExit": "plugin_error",
            "StopIteration": "plugin_error",
            "BaseException": "plugin_error",
        }.items()
    ),
    Attack(
        "hooks",
        """
        sys.excepthook = sys.unraisablehook = lambda *a: os._exit(0)
        import traceback
        traceback.format_exception = lambda *a: ['owned']
        raise ValueError('x')
        """,
        error="plugin_error",
        fit=True,
    ),
    Attack(
        "where the platform lies",
        """
        import traceback
        try: json.loads('{')
        except ValueError: platform_sdk.send_output(traceback.format_exc().split('File')[-1] and 'ok')
        """,
        output="ok",
        fit=True,
    ),
    Attack(
        "frames above it",
        """
        f = sys._getframe()
        names = []
        while f: names.append((f.f_code.co_filename, sorted(f.f_locals)[:5])); f = f.f_back
        platform_sdk.send_output(names)
        """,
        output=_no_paths,
        fit=True,
    ),
)
