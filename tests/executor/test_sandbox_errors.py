"""However a plugin fails, its caller gets the right type and a text that helps; the process is used again if it may."""

import pytest

from tests.executor.sandboxed import Runner


async def test_a_traceback_shows_the_plugins_own_lines_and_nothing_of_the_platform(run: Runner) -> None:
    ran = await run(
        """
        import json


        def load(text):
            return json.loads(text)


        load("{")
        """
    )
    assert ran.error_type == "plugin_error"
    lines = ran.error.splitlines()
    assert lines[:6] == [
        "Traceback (most recent call last):",
        '  File "plugin.py", line 8, in <module>',
        '    load("{")',
        '  File "plugin.py", line 5, in load',
        "    return json.loads(text)",
        "           ^^^^^^^^^^^^^^^^",
    ]
    assert '  File "lib/python3.12/json/__init__.py", line 346, in loads' in lines
    assert lines[-1].startswith("json.decoder.JSONDecodeError: Expecting property name")
    assert "_serve" not in ran.error
    assert "/" not in ran.error.replace("lib/python3.12/json/", "")


@pytest.mark.parametrize("ending", ["\r\n", "\x0c\n", "\u2028\n", "\x1c\n"])
async def test_line_numbers_and_lines_agree_whatever_ends_a_line(run: Runner, ending: str) -> None:
    ran = await run(f"x = '''{ending}'''\n\nraise ValueError('here')")
    assert "line 4, in <module>\n    raise ValueError('here')\nValueError: here" in ran.error


@pytest.mark.parametrize(
    ("source", "error_type", "last_line"),
    [
        ("import sys; sys.exit(3)", "plugin_error", "the plugin ended with exit status 3"),
        ("import sys; sys.exit('no such thing')", "plugin_error", "no such thing"),
        ("raise SystemExit(-1)", "plugin_error", "the plugin ended with exit status -1"),
        ("exit(2)", "plugin_error", "the plugin ended with exit status 2"),
        ("raise KeyboardInterrupt", "plugin_error", "KeyboardInterrupt"),
        ("raise GeneratorExit", "plugin_error", "GeneratorExit"),
        ("class E(BaseException): pass\nraise E('x')", "plugin_error", "E: x"),
        ("raise MemoryError", "out_of_memory", "MemoryError"),
        ("raise MemoryError('no room')", "out_of_memory", "MemoryError: no room"),
        ("raise ValueError('\\ud800')", "plugin_error", "ValueError: ?"),
        ("raise ValueError('\\0\\x1b[31m')", "plugin_error", "ValueError: \0\x1b[31m"),
        ("1/0", "plugin_error", "ZeroDivisionError: division by zero"),
        ("x = (\n", "plugin_error", "SyntaxError: '(' was never closed"),
        ("print('a')\n  print('b')", "plugin_error", "IndentationError: unexpected indent"),
        ("print('a')\0", "plugin_error", "SyntaxError: source code string cannot contain null bytes"),
        ("import no_such_module", "plugin_error", "ModuleNotFoundError: No module named 'no_such_module'"),
        (
            "eval('-' * 10_000 + '1')",
            "plugin_error",
            "MemoryError: Parser stack overflowed - Python source too complex to parse",
        ),
        ("input()", "plugin_error", "EOFError: EOF when reading a line"),
    ],
)
async def test_every_way_to_fail_has_its_type_and_its_last_line(
    run: Runner, source: str, error_type: str, last_line: str
) -> None:
    ran = await run(source)
    assert ran.error_type == error_type
    assert ran.error.splitlines()[-1] == last_line
    assert ran.fit or not ran.pid, "its process takes another call, unless the source was no source at all"
    assert ran.outcome.output == b""


@pytest.mark.parametrize("source", ["import sys; sys.exit()", "raise SystemExit(0)", "quit()", "exit(None)"])
async def test_an_exit_without_complaint_is_success(run: Runner, source: str) -> None:
    ran = await run("print('done')\n" + source)
    assert ran.output == b"done\n"
    assert ran.fit


async def test_what_was_printed_before_an_error_is_log_and_not_output(run: Runner) -> None:
    ran = await run("from platform_sdk import *\nprint('one')\nsend_output('piece')\nraise ValueError('x')")
    assert ran.error_type == "plugin_error"
    assert ran.log == "one\n"
    assert ran.pieces == [b"piece"]


@pytest.mark.parametrize("status", [0, 5, 255])
async def test_leaving_python_by_the_back_door_ends_the_process(run: Runner, status: int) -> None:
    ran = await run(f"import os\nprint('seen', flush=True)\nos._exit({status})")
    assert not ran.fit
    assert ran.log == "seen\n"
    if status:
        assert ran.error == f"the plugin ended its interpreter with exit status {status}"
    else:
        assert ran.output == b"seen\n"


@pytest.mark.parametrize(
    "source",
    [
        "import os; os.abort()",
        "import faulthandler; faulthandler._sigsegv()",
        "import signal; signal.raise_signal(signal.SIGKILL)",
    ],
)
async def test_breaking_the_interpreter_ends_the_process_and_says_so(run: Runner, source: str) -> None:
    ran = await run(source)
    assert ran.error_type == "plugin_error"
    assert "the plugin broke its interpreter" in ran.error
    assert not ran.fit
    assert (await run("print('next')")).text == "next\n"


async def test_an_exception_that_can_not_be_printed_is_still_named(run: Runner) -> None:
    ran = await run("class Odd(Exception):\n    def __str__(self): raise ValueError('nested')\nraise Odd")
    assert ran.error.splitlines()[-1] == "Odd: <exception str() failed>"
    ran = await run("class Odd(Exception):\n    def __str__(self): raise KeyboardInterrupt\nraise Odd")
    assert ran.error_type == "plugin_error"
    assert "Odd" in ran.error
    ran = await run("import traceback\ntraceback.format_exception = None\n1/0")
    assert ran.error == "ZeroDivisionError (its traceback can't be printed: TypeError)"


async def test_a_huge_message_keeps_its_beginning_and_end(run: Runner) -> None:
    ran = await run("raise ValueError('x' * 1_000_000 + 'the end')")
    assert len(ran.error) < 20_000
    assert ran.error.startswith("Traceback (most recent call last):\n")
    assert ran.error.endswith("the end")
    assert "characters left out" in ran.error


async def test_exception_groups_causes_and_notes_are_shown(run: Runner) -> None:
    ran = await run(
        """
        error = ExceptionGroup("several", [ValueError("a"), ExceptionGroup("inner", [TypeError("b")])])
        error.add_note("a note")
        try:
            raise KeyError("cause")
        except KeyError as cause:
            raise error from cause
        """
    )
    for text in ("ValueError: a", "TypeError: b", "a note", "KeyError: 'cause'", "The above exception was the direct"):
        assert text in ran.error


async def test_warnings_go_to_the_log(run: Runner) -> None:
    ran = await run("import warnings\nwarnings.warn('careful')")
    assert ran.output == b""
    assert ran.log == "plugin.py:2: UserWarning: careful\n  warnings.warn('careful')\n"


NESTED = "x = []\nfor _ in range(100_000): x = [x]\n"


@pytest.mark.parametrize(
    "source",
    [
        "def f(): f()\nf()",
        "import sys\nsys.setrecursionlimit(50_000)\ndef f(): f()\nf()",
        NESTED + "repr(x)",
        NESTED + "import json; json.dumps(x)",
        NESTED + "import pickle; pickle.dumps(x)",
        NESTED + "import copy; copy.deepcopy(x)",
        "import json; json.loads('[' * 100_000)",
        "import re; re.compile('(' * 5_000 + ')' * 5_000)",
    ],
    ids=["calls", "higher limit", "repr", "json.dumps", "pickle", "deepcopy", "json.loads", "re"],
)
async def test_recursion_too_deep_is_a_recursion_error(run: Runner, source: str) -> None:
    ran = await run(source)
    assert ran.error_type == "plugin_error"
    assert "\nRecursionError: maximum recursion depth exceeded" in ran.error
    assert len(ran.error) < 20_000
    assert (await run("print('next')")).text == "next\n"


@pytest.mark.parametrize(
    "source",
    [
        "class A:\n    def __getattr__(self, name): return self.x\nA().x",
        "import ast; ast.literal_eval('-' * 3_000 + '1')",
        "import sys\nsys.setrecursionlimit(10**8)\n" + NESTED + "repr(x)",
    ],
    ids=["getattr", "ast", "no limit"],
)
async def test_recursion_through_c_may_end_the_interpreter_and_nothing_else(run: Runner, source: str) -> None:
    ran = await run(source)
    assert ran.error_type == "plugin_error"
    assert "RecursionError" in ran.error or "too deep a recursion perhaps" in ran.error
    assert (await run("print('next')")).text == "next\n"
