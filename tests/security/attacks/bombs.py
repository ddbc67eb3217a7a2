# ruff: noqa: E501 -- what is hostile stays in one piece
"""Small inputs that cost much: to parse, to compile, to match, to expand."""

from tests.security.attacks.attack import Attack

_FAST = {"timeout_ms": 300}
_ENDS = ("timeout", "plugin_error", "out_of_memory", "")

ATTACKS = (
    Attack("source of brackets", "(" * 5_000 + ")" * 5_000, bare=True, error="plugin_error"),
    Attack("source of signs", "x = " + "-" * 100_000 + "1", bare=True, error=("plugin_error", "out_of_memory")),
    Attack("source of attributes", "x = a" + ".a" * 20_000, bare=True, error=("plugin_error", "out_of_memory")),
    Attack("source of calls", "x = a" + "()" * 20_000, bare=True, error=("plugin_error", "out_of_memory")),
    Attack("source of additions", "x = 1" + "+1" * 20_000, bare=True, error=("plugin_error", "out_of_memory", "")),
    Attack(
        "source of blocks",
        "".join(" " * n + "if 1:\n" for n in range(120)) + " " * 121 + "pass\n",
        bare=True,
        error="plugin_error",
    ),
    Attack("source of f-strings", "x = " + "f'{" * 200 + "1" + "}'" * 200, bare=True, error="plugin_error"),
    Attack(
        "source of comprehensions", "x = " + "[" * 150 + "1" + " for a in b]" * 150, bare=True, error="plugin_error"
    ),
    Attack(
        "source of decorators", "@a\n" * 5_000 + "def f(): pass", bare=True, error=("plugin_error", "out_of_memory")
    ),
    Attack("source with a NUL", "x = 1\0", bare=True, error="plugin_error"),
    Attack("constants that multiply", "x = ((((1,) * 256) * 256) * 256) and 'y' * 4000 * 4000", error=""),
    Attack(
        "names without end",
        "exec(';'.join(f'n{i} = {i}' for i in range(5_000)))\nplatform_sdk.send_output('ok')",
        output="ok",
    ),
    Attack("compiled at run time", "compile('(' * 100_000, 'x', 'exec')", error="plugin_error"),
    Attack(
        "a literal at run time",
        "import ast\nast.literal_eval('-' * 100_000 + '1')",
        error=("plugin_error", "out_of_memory"),
    ),
    Attack(
        "a pattern that backtracks",
        """
        import re
        re.match('(a+)+$', 'a' * 60 + 'b')
        """,
        error="timeout",
        limits=_FAST,
    ),
    Attack(
        "a pattern that backtracks by reference",
        "import re\nre.match(r'(?:(a*)\\1)*c', 'a' * 5000)",
        error=_ENDS,
        limits=_FAST,
    ),
    Attack(
        "a pattern of brackets",
        "import re\nre.compile('(' * 10_000 + ')' * 10_000)",
        error=("plugin_error", "out_of_memory"),
    ),
    Attack(
        "a pattern of counts",
        "import re\nre.compile('(?:' * 60 + 'a' + '{1,65000})' * 60).match('a' * 1000)",
        error=_ENDS,
        limits=_FAST,
    ),
    Attack(
        "a billion laughs",
        """
           import xml.etree.ElementTree as e
           names = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
           e.fromstring(f'<!DOCTYPE l [<!ENTITY l0 "lol">{names}]><l>&l11;</l>')
           """,
        error=("plugin_error", "out_of_memory", "timeout"),
        limits={"timeout_ms": 3000},
    ),
    Attack(
        "an external entity",
        """
        import xml.etree.ElementTree as e
        attempt(file=lambda: e.fromstring('<!DOCTYPE l [<!ENTITY x SYSTEM "file:///etc/passwd">]><l>&x;</l>').text or 1/0)
        """,
        output="{}",
    ),
    Attack("digits of a power", "str(7 ** 7 ** 7)", error=("plugin_error", "timeout"), limits={"timeout_ms": 1000}),
    Attack(
        "a decimal power",
        """
        import decimal
        decimal.getcontext().prec = 10**8
        decimal.Decimal(3) ** decimal.Decimal('1e7')
        """,
        error=_ENDS[:3],
        limits=_FAST,
    ),
    Attack("a factorial", "import math\nmath.factorial(10**7)", error=_ENDS[:3], limits=_FAST),
    Attack(
        "equal hashes",
        """
        class H:
            def __hash__(self): return 1
            def __eq__(self, o): return False
        d = {H(): 1 for _ in range(10**6)}
        """,
        error="timeout",
        limits=_FAST,
    ),
    Attack(
        "a sort without order",
        """
        import functools
        sorted(range(10**6), key=functools.cmp_to_key(lambda a, b: 1 if hash((a, b)) % 2 else -1))
        """,
        error="timeout",
        limits=_FAST,
    ),
    Attack(
        "normalised text",
        "import unicodedata\nfor _ in range(10**6): unicodedata.normalize('NFKD', '\\ufdfa' * 10_000)",
        error=("timeout", "out_of_memory"),
        limits=_FAST,
    ),
    Attack(
        "a query without end",
        """
        import sqlite3
        sqlite3.connect(':memory:').execute('with recursive t(x) as (select 1 union all select x+1 from t) select count(*) from t').fetchall()
        """,
        error="timeout",
        limits=_FAST,
    ),
    Attack(
        "difference of nothing",
        "import difflib\ndifflib.SequenceMatcher(None, 'ab' * 20_000, 'ba' * 20_000, False).ratio()",
        error=("timeout", "out_of_memory"),
        limits=_FAST,
    ),
    Attack(
        "a path of dots", "import fnmatch\nfnmatch.fnmatch('a' * 50_000, '*a' * 50 + 'b')", error=_ENDS, limits=_FAST
    ),
    Attack("a loop", "while True: pass", error="timeout", limits=_FAST, fit=False),
    Attack(
        "a loop that uses its CPU time",
        "while True: pass",
        error="timeout",
        limits={"cpu_ms": 100},
        says="CPU",
        fit=False,
    ),
)
