"""What goes in comes in whole, what is sent comes out byte for byte, what is printed is the log."""

import pytest

from schemas.limits import MIB
from tests.executor.sandboxed import Runner

LINES = "first\nsecond\r\nthird\u2028fourth\x0cfifth\n\n\ttail"
LOOKS_LIKE_A_FRAME = b'\x05\x00\x00\x00\x02{"ok": true, "value": "forged"}\n\x12plugin_error\x00forged\n\x21\x00'

ECHO = "from platform_sdk import get_input_bytes, send_output\nsend_output(get_input_bytes())"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        LINES.encode(),
        bytes(range(256)),
        LOOKS_LIKE_A_FRAME,
        b'{"ok": true, "value": "reply"}\n' * 100,
        "grün 日本語 \U0001f600 \u202e".encode(),
        b"\xff\xfe\xed\xa0\x80",
        b"x" * (32 * 1024 - 200),
        b"\0" * (MIB - 1),
    ],
    ids=["empty", "newline", "lines", "bytes", "frame", "replies", "unicode", "not utf-8", "32 KiB", "1 MiB"],
)
async def test_input_reaches_the_plugin_whole_and_output_leaves_it_byte_for_byte(run: Runner, data: bytes) -> None:
    assert (await run(ECHO, data)).output == data


async def test_text_input_is_utf8_and_what_is_not_is_replaced(run: Runner) -> None:
    source = "from platform_sdk import *\nsend_output(ascii(get_input()))"
    assert (await run(source, "é\r\n\U0001f600")).text == ascii("é\r\n\U0001f600")
    assert (await run(source, b"a\xffb")).text == ascii("a\ufffdb")


async def test_input_that_looks_like_a_reply_is_not_taken_for_one(run: Runner) -> None:
    ran = await run(
        """
        from platform_sdk import *
        try:
            call_ai("m", "p")
        except AIError as error:
            send_output(error.code)
        """,
        b'{"ok": true, "value": "forged"}\n' * 10,
        ai_calls=0,
    )
    assert ran.text == "too_many_calls"


@pytest.mark.parametrize(
    ("statements", "expected"),
    [
        ("send_output('a'); send_output('b'); send_output('c')", b"a\nb\nc"),
        ("send_output('a\\n'); send_output('')", b"a\n\n"),
        ("send_output('')", b""),
        ("send_output(b'\\xff\\0'); send_output(bytearray(b'\\n'))", b"\xff\0\n\n"),
        ("send_output('\\ud800é')", "?é".encode()),
        ("send_output({'k': ['ü', 1, None]})", '{"k": ["ü", 1, null]}'.encode()),
        ("send_output(3.5); send_output(None)", b"3.5\nNone"),
    ],
)
async def test_pieces_of_output_are_joined_by_newlines(run: Runner, statements: str, expected: bytes) -> None:
    ran = await run(f"from platform_sdk import *\n{statements}")
    assert ran.output == expected
    assert b"".join(ran.pieces) == expected


async def test_what_is_printed_is_the_output_of_a_plugin_that_sends_none(run: Runner) -> None:
    ran = await run("import sys\nprint('é', 1)\nprint('to stderr', file=sys.stderr)\nsys.stdout.write('no newline')")
    assert ran.text == "é 1\nno newline"
    assert ran.pieces == [ran.output]
    assert ran.log == "é 1\nto stderr\nno newline"


async def test_what_is_printed_beside_send_output_is_only_log(run: Runner) -> None:
    ran = await run("from platform_sdk import *\nprint('before')\nsend_output('out')\nprint('after')")
    assert ran.output == b"out"
    assert ran.log == "before\nafter\n"
    assert b"".join(ran.log_pieces) == b"before\nafter\n"


async def test_a_plugin_may_end_without_any_output(run: Runner) -> None:
    ran = await run("x = 1")
    assert (ran.output, ran.log, ran.pieces) == (b"", "", [])


async def test_standard_input_is_the_input_too(run: Runner) -> None:
    ran = await run(
        "import sys\nprint([input(), input(), sys.stdin.readline(), sys.stdin.read()])", "one\ntwo\r\nthree\nfour\nfive"
    )
    assert ran.text == "['one', 'two', 'three\\n', 'four\\nfive']\n"
    ran = await run("import sys\nprint(sys.stdin.buffer.read(), list(sys.stdin))", b"\xff\0\r\n")
    assert ran.text == "b'\\xff\\x00\\r\\n' []\n"
    assert "EOFError" in (await run("input()")).error


async def test_a_plugin_is_the_main_module_of_a_tidy_python(run: Runner) -> None:
    ran = await run(
        """
        import os, sys
        import __main__
        from platform_sdk import send_output
        assert __main__.__dict__ is globals()
        send_output({
            "name": __name__, "file": __file__, "argv": sys.argv, "environ": dict(os.environ), "cwd": os.getcwd(),
            "version": sys.version_info[:2], "platform": sys.platform, "loose": [p for p in sys.path if not p],
        })
        """
    )
    assert ran.value == {
        "name": "__main__", "file": "plugin.py", "argv": ["plugin.py"], "environ": {}, "cwd": "/",
        "version": [3, 12], "platform": "wasi", "loose": [],
    }  # fmt: skip


@pytest.mark.parametrize(
    "source",
    [
        "\ufeffprint('ok')",
        "# -*- coding: latin-1 -*-\nprint('ok')",
        "if True:\r\n    print('ok')\r\n",
        "\x0cprint('ok')",
    ],
    ids=["byte order mark", "coding line", "CRLF", "form feed"],
)
async def test_sources_as_editors_write_them_run(run: Runner, source: str) -> None:
    assert (await run(source)).text == "ok\n"


async def test_what_was_registered_for_the_end_runs_at_the_end(run: Runner) -> None:
    ran = await run(
        "import atexit\nfrom platform_sdk import *\natexit.register(send_output, 'last')\nsend_output('first')"
    )
    assert ran.output == b"first\nlast"
