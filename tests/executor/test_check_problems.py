# ruff: noqa: E501 -- a case stays in one line
"""All that is wrong with a source is told at once, each with its place; in every file of a zip."""

import pytest

from executor.check import check_source
from executor.pool import Pool
from schemas.archive import pack
from schemas.messages import CheckReply, SourceProblem
from schemas.pluginfiles import main_of
from tests.executor.zipped import content


async def check_files(pool: Pool, files: dict[str, str | bytes]) -> CheckReply:
    """What is said of a zip of these files."""
    all_files = content(files)
    return await check_source(pool, all_files[main_of(all_files)].decode(), pack(all_files))


def told(reply: CheckReply) -> list[tuple[str | None, int | None, str, str]]:
    """File, line, severity and the beginning of each problem."""
    return [(p.file, p.line, p.severity, p.message.partition(":")[0]) for p in reply.problems]


async def test_all_problems_come_with_their_places_errors_first(pool: Pool) -> None:
    source = (
        "try:\n    import numpy\nexcept ImportError:\n    numpy = None\n"
        "x = 'ü'; import requests, json, ssl\n"
        "def f():\n    from scipy import (\n        stats,\n    )\n"
        "print('\\d')\n"
    )
    reply = await check_source(pool, source)
    missing = ": a plugin has the standard library, platform_sdk and what is in its own zip"
    assert reply.problems == [
        SourceProblem(f"there is no module 'requests' in the sandbox{missing}", 5, 17, 5, 25),
        SourceProblem("module 'ssl' can't be imported in the sandbox: a plugin has no network", 5, 33, 5, 36),
        SourceProblem(f"there is no module 'scipy' in the sandbox{missing}", 7, 5, 9, 6),
        SourceProblem(
            f"there is no module 'numpy' in the sandbox{missing}; the plugin has to do without", 2, 12, 2, 17, "warning"
        ),
        SourceProblem("invalid escape sequence '\\d'", 10, severity="warning"),
    ]
    first = reply.problems[0]
    assert (reply.ok, reply.message, reply.line, reply.column) == (False, first.message, 5, 17)


async def test_a_syntax_error_has_an_end(pool: Pool) -> None:
    reply = await check_source(pool, "if a = b:\n    pass\n")
    assert [(p.line, p.column, p.end_line, p.end_column) for p in reply.problems] == [(1, 4, 1, 9)]


async def test_warnings_do_not_refuse(pool: Pool) -> None:
    reply = await check_source(pool, "try:\n    import numpy\nexcept ImportError:\n    pass\nassert (1, 'x')\n")
    assert reply.ok
    assert (reply.message, reply.line) == ("", None)
    assert [problem.severity for problem in reply.problems] == ["warning"] * 2


async def test_many_problems_are_bounded(pool: Pool) -> None:
    reply = await check_source(pool, "".join(f"import missing_{n}\n" for n in range(500)))
    assert len(reply.problems) == 100
    assert [problem.line for problem in reply.problems] == list(range(1, 101))


async def test_every_file_of_a_zip_is_checked(pool: Pool) -> None:
    reply = await check_files(
        pool,
        {
            "plugin.py": "import helper, package.part\n",
            "helper.py": "x = 1\ndef f(:\n    pass\n",
            "package/__init__.py": "",
            "package/part.py": "from . import other\nfrom .missing import x\nimport numpy\n",
            "package/other.py": "from ... import far\n",
            "unused.py": "import pandas\n",
            "package/unused.py": "y = (\n",
        },
    )
    assert not reply.ok
    assert told(reply) == [
        ("helper.py", 2, "error", "invalid syntax"),
        ("package/part.py", 2, "error", "there is no module 'package.missing' among the plugin's files"),
        ("package/part.py", 3, "error", "there is no module 'numpy' in the sandbox"),
        ("package/other.py", 1, "error", "a relative import works within a package only"),
        ("package/unused.py", 1, "error", "'(' was never closed"),
        ("unused.py", 1, "warning", "there is no module 'pandas' in the sandbox"),
    ]
    assert (reply.file, reply.line) == ("helper.py", 2)


@pytest.mark.parametrize(
    "files",
    [
        {"plugin.py": "import a\nfrom b import c\nfrom b.d import E\nimport n.part", "a.py": "", "b/__init__.py": "",
         "b/c.py": "from . import d, __name__\nfrom .d import E\nfrom b import d", "b/d.py": "E = 1", "n/part.py": ""},
        {"plugin.py": "import sys\nsys.path.insert(0, 'vendor')\nimport thing", "vendor/thing.py": ""},
        {"plugin.py": "import six.moves.urllib", "six.py": "import sys\nsys.modules[__name__ + '.moves'] = 1"},
        {"plugin.py": "import lib", "lib/__init__.py": "def f():\n    import numpy", "lib/django.py": "import django"},
        {"plugin.py": "from lib import VERSION", "lib/__init__.py": "try:\n    import lxml\nexcept ImportError: pass\nVERSION = 1"},
        {"plugin.py": "import maker\nimport made", "maker.py": "import sys\nsys.modules['made'] = sys"},
        {"plugin.py": "import plugin_types", "plugin_types.py": "import plugin"},
        {"__main__.py": "import html.parser", "html/index.html": "<p>", "setup.txt": ""},
        {"plugin.py": "import typing_extensions", "typing_extensions.py": "from typing import *", "data/x.py.txt": "import numpy"},
    ],
    ids=["packages", "sys.path", "six", "optional parts", "optional imports", "made", "main imported", "data like a module", "names"],
)  # fmt: skip
async def test_what_may_work_is_not_refused(pool: Pool, files: dict[str, str | bytes]) -> None:
    reply = await check_files(pool, files)
    assert reply.ok, reply


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"plugin.py": "import json", "json.py": ""}, "a module called 'json' would be taken for the standard library's"),
        ({"plugin.py": "import json", "json/tool.py": ""}, "a module called 'json' would be taken for the standard library's"),
        ({"plugin.py": "import thing", "vendor/thing.py": ""}, "it is in vendor/: move it to the root, or say sys.path.insert(0, 'vendor')"),
        ({"plugin.py": "import a.b", "a.py": ""}, "there is no module 'a.b' among the plugin's files"),
        ({"plugin.py": "import lib", "lib/__init__.py": "import sys\nprint(sys.modules)\nfrom rpds import Map"}, "no module 'rpds' in the sandbox"),
        ({"plugin.py": "import old", "old.py": "print 'x'"}, "Missing parentheses in call to 'print'"),
        ({"plugin.py": "import bad", "bad.py": b"x = '\xff'\n"}, "(unicode error) 'utf-8' codec can't decode byte 0xff"),
        ({"plugin.py": "import bad", "bad.py": b"x = 1\0\n"}, "source code string cannot contain null bytes"),
        ({"plugin.py": "import bad", "bad.py": "(" * 300}, "the source is too large or too deeply nested"),
    ],
)  # fmt: skip
async def test_what_can_not_work_is_refused(pool: Pool, files: dict[str, str | bytes], message: str) -> None:
    reply = await check_files(pool, files)
    assert not reply.ok
    assert message in reply.message
    assert reply.file is not None


async def test_nothing_of_a_zip_runs(pool: Pool) -> None:
    files: dict[str, str | bytes] = {
        "plugin.py": "import a\n1/0",
        "a/__init__.py": "raise SystemExit\n",
        "a/b.py": "while True: pass\n",
    }
    reply = await check_files(pool, files)
    assert reply.ok
