"""Source is judged by the sandbox's own compiler, without running a line of it."""

import asyncio

import pytest

from executor import check
from executor.check import AT_ONCE, MAX_WAITING, Checks, check_source
from executor.pool import Pool
from schemas.errors import Busy
from schemas.limits import MAX_SOURCE_BYTES
from schemas.messages import CheckReply
from tests.executor.sandboxed import Runner


@pytest.mark.parametrize(
    ("source", "line", "column", "message"),
    [
        ("x = (\n", 1, 5, "'(' was never closed"),
        ("a = 1\nb = 2\nif a = b:\n    pass\n", 3, 4, "invalid syntax. Maybe you meant '==' or ':=' instead of '='?"),
        ("def f():\nreturn 1\n", 2, 1, "expected an indented block after function definition on line 1"),
        ("print('a)\n", 1, 7, "unterminated string literal (detected at line 1)"),
        ("é = 'ü' 1\n", 1, 9, "invalid syntax"),
        ("return 1\n", 1, 1, "'return' outside function"),
        ("f(**{}, *[])\n", 1, 3, "iterable argument unpacking follows keyword argument unpacking"),
        ("async def f():\n    yield from g()\n", 2, 5, "'yield from' inside async function"),
        ("x = 0777\n", 1, 5, "leading zeros in decimal integer literals are not permitted"),
    ],
)
async def test_an_error_is_told_with_its_line_and_column(
    pool: Pool, source: str, line: int, column: int, message: str
) -> None:
    reply = await check_source(pool, source)
    assert not reply.ok
    assert (reply.line, reply.message.split(";")[0]) == (line, message)
    assert reply.column == column


@pytest.mark.parametrize(
    "source",
    [
        "",
        "\n",
        "# only a comment",
        "x = 1",
        "\ufeffx = 1",
        "def f():\r\n    return 1\r\n",
        "type Point[T] = tuple[T, T]\ndef first[T](p: Point[T]) -> T: return p[0]\nclass Box[T]: ...",
        'print(f"{"nested " + f"{1 + 1}"}")',
        "match 1:\n    case int(): pass",
        "try: pass\nexcept* ValueError: pass",
        "while True: pass",
        "raise SystemExit",
        "1/0",
    ],
)
async def test_what_compiles_is_well_and_is_not_run(pool: Pool, source: str) -> None:
    reply = await check_source(pool, source)
    assert reply.ok, reply.message


@pytest.mark.parametrize(
    "source",
    [
        "(" * 10_000,
        "x = " + "[" * 500 + "]" * 500,
        "-" * 100_000 + "1",
        "if 1:\n" + "".join(" " * n + "if 1:\n" for n in range(1, 200)),
    ],
    ids=["open", "lists", "minus", "blocks"],
)
async def test_nesting_too_deep_is_refused_with_a_reason(pool: Pool, source: str) -> None:
    reply = await check_source(pool, source)
    assert not reply.ok
    assert "too" in reply.message or "indent" in reply.message
    assert len(reply.message) <= 500


async def test_nesting_that_breaks_the_compiler_is_refused_and_the_next_check_is_well(pool: Pool) -> None:
    for source in ("x = " + "1+(" * 150 + "1" + ")" * 150, "x" + ".x" * 50_000, "x = " + "lambda: " * 5_000 + "0"):
        reply = await check_source(pool, source)
        assert reply.ok or reply.message
        assert (await check_source(pool, "x = 1")).ok


async def test_more_checks_than_there_is_room_for_are_refused(pool: Pool) -> None:
    checks = Checks(pool)
    asked = [asyncio.create_task(checks.check("x = 1")) for _ in range(AT_ONCE + MAX_WAITING + 3)]
    replies = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(isinstance(reply, Busy) for reply in replies) == 3
    assert sum(isinstance(reply, CheckReply) and reply.ok for reply in replies) == AT_ONCE + MAX_WAITING
    assert (await checks.check("x = 1")).ok


async def test_nul_and_lone_surrogates_are_refused_not_choked_on(pool: Pool) -> None:
    reply = await check_source(pool, "x = 1\0")
    assert (reply.ok, reply.message) == (False, "source code string cannot contain null bytes")


async def test_a_megabyte_of_source_is_checked(pool: Pool) -> None:
    code, comment = "value = {'key': [1, 2, 3], 'other': 'text'}\n", "# as long a comment as anybody ever wrote\n"
    source = code * 1000
    source += comment * ((MAX_SOURCE_BYTES - len(source)) // len(comment))
    assert (await check_source(pool, source)).ok
    reply = await check_source(pool, source[: -len(comment)] + "x = (\n")
    assert (reply.ok, reply.line) == (False, source.count("\n"))


async def test_source_that_compiles_for_ever_is_refused_in_time(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "CHECK_SECONDS", 0.3)
    # Constant folding multiplies these out, each within CPython's limit for one constant.
    source = "\n".join(f"x{n} = 9 ** 40 * 'x' if 0 else ({n} ** 37, 'ab' * 2000)" for n in range(20_000))
    started = asyncio.get_running_loop().time()
    reply = await check_source(pool, source)
    assert (reply.ok, reply.message) == (False, "the source can't be compiled within 0 seconds")
    assert asyncio.get_running_loop().time() - started < 2
    assert (await check_source(pool, "x = 1")).ok


async def test_a_check_leaves_its_process_as_it_was(pool: Pool, run: Runner) -> None:
    for source in ("x = (", "x = 1", "import json\njson.dumps = 1"):
        await check_source(pool, source)
        assert (await run("import json\nprint(json.dumps(1))")).text == "1\n"


async def test_many_checks_at_once_each_get_their_own_answer(pool: Pool) -> None:
    sources = [f"{chr(10) * n}x = (" if n % 2 else "x = 1" for n in range(40)]
    replies = await asyncio.gather(*(check_source(pool, source) for source in sources))
    assert [reply.line for reply in replies] == [n + 1 if n % 2 else None for n in range(40)]


@pytest.mark.parametrize(
    ("source", "line", "message"),
    [
        ("import numpy", 1, "there is no module 'numpy' in the sandbox"),
        ("x = 1\nfrom requests import get", 2, "there is no module 'requests' in the sandbox"),
        (
            "def f():\n    import ctypes",
            2,
            "module 'ctypes' can't be imported in the sandbox: a plugin can't load native code",
        ),
        ("import ssl", 1, "module 'ssl' can't be imported in the sandbox: a plugin has no network"),
        ("import json.nothing", 1, "module 'json.nothing' can't be imported in the sandbox"),
        ("from . import x", 1, "a relative import works within a package only"),
        ("from os import path, fork", 1, "'fork' can't be imported from 'os': a plugin can't start processes"),
        ("from concurrent.futures import ThreadPoolExecutor", 1, "'ThreadPoolExecutor' can't be imported from"),
        ("from platform_sdk import call_model", 1, "'call_model' can't be imported from 'platform_sdk'"),
    ],
)
async def test_an_import_that_can_not_work_is_refused_with_its_line(
    pool: Pool, source: str, line: int, message: str
) -> None:
    reply = await check_source(pool, source)
    assert (reply.ok, reply.line) == (False, line)
    assert message in reply.message


@pytest.mark.parametrize(
    "source",
    [
        "import json, sqlite3, email.mime.text, xml.etree.ElementTree as e",
        "import socket, subprocess, threading",
        "try:\n    import numpy\nexcept ImportError:\n    numpy = None",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import numpy",
        "from platform_sdk import call_ai\nimport platform_sdk as p",
        "import this, antigravity",
        "from os import *\nfrom email import message\nfrom xml.etree import ElementTree",
        "if 1:\n    from . import x",
        "importlib = __import__('importlib')",
    ],
)
async def test_imports_that_work_or_that_the_plugin_can_do_without_are_none_of_our_business(
    pool: Pool, source: str
) -> None:
    assert (await check_source(pool, source)).ok
