# ruff: noqa: E501 -- what is hostile stays in one piece
"""Text that is not what it seems: in source, input, output, errors and log."""

from tests.security.attacks.attack import Attack

_PLAIN = "import platform_sdk\n"

ATTACKS = (
    Attack("half a pair in the output", "platform_sdk.send_output('a\\ud83db')", output="a?b", fit=True),
    Attack("half a pair in the log", "print('\\udcff')\nplatform_sdk.send_output('ok')", output="ok", fit=True),
    Attack("half a pair in an error", "raise ValueError('\\udcff\\ud800')", error="plugin_error", fit=True),
    Attack(
        "half a pair in the name of an error",
        "raise type('E\\udcff', (Exception,), {})('x')",
        error="plugin_error",
        fit=True,
    ),
    Attack(
        "headers in an error",
        "raise ValueError('x\\r\\nNats-Service-Error-Code: 200\\r\\n\\r\\nok')",
        error="plugin_error",
        fit=True,
    ),
    Attack("zeros in an error", "raise ValueError('\\0' * 100)", error="plugin_error", fit=True),
    Attack(
        "separators and directions in an error",
        "raise ValueError('\\u2028\\u202e\\u2066\\x85\\x1b[31m')",
        error="plugin_error",
        fit=True,
    ),
    Attack(
        "input that is no UTF-8",
        "print(ascii(platform_sdk.get_input()))",
        data=b"\xff\xfe\x00",
        output="'\\ufffd\\ufffd\\x00'\n",
        fit=True,
    ),
    Attack(
        "input of half pairs",
        "print(ascii(platform_sdk.get_input()))",
        data=b"\xed\xa0\x80",
        output="'\\ufffd\\ufffd\\ufffd'\n",
        fit=True,
    ),
    Attack(
        "input of frames",
        "print(platform_sdk.get_input_bytes())",
        data=b"\x05\0\0\0\x01\0\0\0\0\0",
        output="b'\\x05\\x00\\x00\\x00\\x01\\x00\\x00\\x00\\x00\\x00'\n",
        fit=True,
    ),
    Attack(
        "input through stdin",
        "print(ascii(sys.stdin.read()), sys.stdin.read() == '')",
        data=b"\xffa\r\nb",
        output="'\\ufffda\\nb' True\n",
        fit=True,
    ),
    Attack("a source with a byte order mark", "\ufeffprint(1)", bare=True, output="1\n"),
    Attack("a source of another coding", "# coding: utf-7\nprint(ascii('+AGE-'))", bare=True, output="'+AGE-'\n"),
    Attack("a source with directions", "x = 'a'  # \u202e\u2066 }\nprint(x)", bare=True, output="a\n"),
    Attack(
        "names that look alike",
        """
        а = 1
        a = 2
        print(а, a)
        """,
        bare=True,
        output="1 2\n",
    ),
    Attack("names that become others", "\uff45\uff56\uff41\uff4c = 3\nprint(eval)", bare=True, output="3\n"),
    Attack(
        "streams of another coding",
        "sys.stdout.reconfigure(encoding='utf-16', errors='strict')\nprint('a\\udcff')",
        error="plugin_error",
        fit=True,
    ),
    Attack(
        "streams replaced",
        """
        sys.stdout = sys.stderr = None
        print('x')
        platform_sdk.send_output('ok')
        """,
        output="ok",
        fit=True,
    ),
    Attack(
        "streams that lie",
        """
        class S:
            def write(self, t): return 1 << 70
            def flush(self): raise SystemExit(9)
        sys.stdout = sys.stderr = S()
        print('x')
        """,
        error="",
        fit=True,
    ),
    Attack(
        "a flush without end",
        """
        class S:
            def write(self, t): pass
            def flush(self):
                while True: pass
        sys.stdout = S()
        """,
        error="timeout",
        limits={"timeout_ms": 300},
    ),
    Attack(
        "a codec of its own",
        """
        import codecs
        codecs.register(lambda n: 1/0)
        codecs.register_error('replace', lambda e: 1/0)
        '\\udcff'.encode('ascii', 'replace')
        'x'.encode('nothing')
        """,
        error="plugin_error",
        fit=True,
    ),
    Attack(
        "codecs that go wrong",
        """
        for c in ('utf_7', 'utf_16', 'utf_32', 'idna', 'punycode', 'unicode_escape', 'raw_unicode_escape', 'iso2022_jp', 'hz', 'gb18030', 'big5hkscs'):
            for n in range(300):
                try: random.randbytes(40).decode(c)
                except UnicodeError: pass
        platform_sdk.send_output('ok')
        """,
        output="ok",
        fit=True,
    ),
)
