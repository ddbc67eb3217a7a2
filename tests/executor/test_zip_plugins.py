# ruff: noqa: E501 -- an expression stays in one piece
"""A plugin of many files behaves as the same files do on a disk, as far as a sandbox without files can do that."""

from typing import Any

import pytest

from tests.executor.sandboxed import Runner
from tests.executor.zipped import zipped
from tests.security.archives import zip_of

FILES: dict[str, str | bytes] = {
    "data.json": '{"a": 1}',
    "table.csv": "a,b\r\n1,2\r\n",
    "pkg/__init__.py": "from . import deep\nfrom .deep.leaf import VALUE\n",
    "pkg/words.txt": "wörter\n",
    "pkg/deep/__init__.py": "",
    "pkg/deep/leaf.py": "VALUE = 7\n\n\ndef fail():\n    return 1 / (VALUE - 7)\n",
    "space/part.py": "HERE = __name__\n",
    "vendor/vendored.py": "X = 'vendored'\n",
    "tiny_thing-1.2.dist-info/METADATA": "Metadata-Version: 2.1\nName: tiny-thing\nVersion: 1.2\n",
}
BEGIN = """\
import csv, glob, importlib, importlib.metadata, importlib.resources, inspect, io, json, os, pathlib, pkgutil, sys
import pkg, pkg.deep.leaf, space.part
from platform_sdk import send_output
"""


async def said(run: Runner, expression: str, **more: str | bytes) -> Any:
    """What an expression comes to in a plugin of these files."""
    ran = await run.plugin(zipped(FILES | more | {"plugin.py": f"{BEGIN}\nsend_output(json.dumps({expression}))\n"}))
    return ran.value


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("pkg.VALUE", 7),
        ("[pkg.__file__, pkg.__path__, pkg.deep.leaf.__file__, pkg.deep.leaf.__package__]", ["pkg/__init__.py", ["pkg"], "pkg/deep/leaf.py", "pkg.deep"]),
        ("space.part.HERE", "space.part"),
        ("[__file__, __name__, sys.argv]", ["plugin.py", "__main__", ["plugin.py"]]),
        ("importlib.import_module('.deep.leaf', 'pkg').VALUE", 7),
        ("importlib.reload(pkg.deep.leaf).VALUE", 7),
        ("[m.name for m in pkgutil.walk_packages(pkg.__path__, 'pkg.')]", ["pkg.deep", "pkg.deep.leaf"]),
        ("sys.path.insert(0, 'vendor') or __import__('vendored').X", "vendored"),
        ("sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), 'vendor')) or __import__('vendored').X", "vendored"),
        ("importlib.metadata.version('Tiny_Thing')", "1.2"),
        ("'VALUE - 7' in inspect.getsource(pkg.deep.leaf.fail)", True),
        ("[importlib.util.find_spec(n) is not None for n in ('pkg.deep', 'pkg.nothing', 'nothing')]", [True, False, False]),
    ],
)  # fmt: skip
async def test_imports(run: Runner, expression: str, value: object) -> None:
    assert await said(run, expression) == value


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("json.load(open('data.json'))", {"a": 1}),
        ("json.load(open('/data.json'))", {"a": 1}),
        ("json.load(open(os.path.join(os.path.dirname(__file__), 'data.json'), 'rb'))", {"a": 1}),
        ("(pathlib.Path(__file__).resolve().parent / 'pkg' / 'words.txt').read_text()", "wörter\n"),
        ("pathlib.Path(pkg.__file__).with_name('words.txt').read_text(encoding='latin-1')", "wÃ¶rter\n"),
        ("list(csv.DictReader(open('table.csv', newline='')))", [{"a": "1", "b": "2"}]),
        ("[line for line in open('table.csv')]", ["a,b\n", "1,2\n"]),
        ("pkgutil.get_data('pkg', 'words.txt').decode()", "wörter\n"),
        ("importlib.resources.files('pkg').joinpath('words.txt').read_text()", "wörter\n"),
        ("importlib.resources.files('space').joinpath('part.py').is_file()", True),
        ("[sorted(os.listdir('pkg')), 'plugin.py' in os.listdir()]", [["__init__.py", "deep", "words.txt"], True]),
        ("sorted(map(str, pathlib.Path('pkg').rglob('*.py')))", ["pkg/__init__.py", "pkg/deep/__init__.py", "pkg/deep/leaf.py"]),
        ("glob.glob('*.json')", ["data.json"]),
        ("[[f, sorted(d), sorted(n)] for f, d, n in os.walk('pkg')]", [["pkg", ["deep"], ["__init__.py", "words.txt"]], ["pkg/deep", [], ["__init__.py", "leaf.py"]]]),
        ("[[os.path.exists(p), os.path.isfile(p), os.path.isdir(p)] for p in ('data.json', 'pkg', 'no')]", [[True, True, False], [True, False, True], [False] * 3]),
        ("[os.stat('data.json').st_size, os.access('data.json', os.R_OK), os.access('data.json', os.W_OK)]", [8, True, False]),
        ("open('../../data.json').name", "../../data.json"),
        ("__import__('zipfile').ZipFile(io.BytesIO(pkgutil.get_data('pkg', '../a.zip'))).namelist()", ["inside"]),
        ("__import__('zipfile').ZipFile('a.zip').read('inside').decode()", "data"),
        ("__import__('configparser').ConfigParser().read('setup.cfg')", ["setup.cfg"]),
    ],
)  # fmt: skip
async def test_data_files_are_read_where_they_are(run: Runner, expression: str, value: object) -> None:
    more = {"a.zip": zip_of({"inside": b"data"}), "setup.cfg": "[a]\nb = c\n"}
    assert await said(run, expression, **more) == value


@pytest.mark.parametrize(
    ("statement", "error", "refused"),
    [
        ("open('data.json', 'w')", "OSError: [Errno 69] Read-only file system: 'data.json'", False),
        ("open('data.json', 'r+b')", "Read-only file system", False),
        ("open('data.json').write('x')", "not writable", False),
        ("open('data.json', 'rb').write(b'x')", "not writable", False),
        ("open('pkg')", "IsADirectoryError", False),
        ("os.listdir('data.json')", "NotADirectoryError", False),
        ("os.remove('data.json')", "No such file or directory", True),
        ("open('new.txt', 'w')", "No such file or directory", True),
        ("open('/etc/passwd')", "The sandbox has no files but the plugin's own, which can only be read", True),
        ("open('missing.json')", "No such file or directory: 'missing.json'", True),
    ],
)
async def test_files_can_only_be_read(run: Runner, statement: str, error: str, refused: bool) -> None:
    ran = await run.plugin(zipped(FILES | {"plugin.py": f"{BEGIN}\n{statement}\n"}))
    assert error in ran.error
    assert ran.error_type == ("sandbox_violation" if refused else "plugin_error")


async def test_a_traceback_has_the_files_and_lines_of_all_modules_and_nothing_of_the_import(run: Runner) -> None:
    files = FILES | {
        "plugin.py": "import middle\n",
        "middle.py": "from pkg.deep import leaf\n\nleaf.fail()\n",
    }
    ran = await run.plugin(zipped(files))
    assert ran.error == (
        "Traceback (most recent call last):\n"
        '  File "plugin.py", line 1, in <module>\n'
        "    import middle\n"
        '  File "middle.py", line 3, in <module>\n'
        "    leaf.fail()\n"
        '  File "pkg/deep/leaf.py", line 5, in fail\n'
        "    return 1 / (VALUE - 7)\n"
        "           ~~^~~~~~~~~~~~~\n"
        "ZeroDivisionError: division by zero"
    )


async def test_main_may_be_dunder_main_and_modules_may_import_it(run: Runner) -> None:
    files = {
        "__main__.py": "VALUE = 3\nimport other\nprint(__file__, other.seen())\n",
        "other.py": "def seen():\n    from __main__ import VALUE\n    return VALUE\n",
    }
    assert (await run.plugin(zipped(files))).text == "__main__.py 3\n"


async def test_zone_data_that_the_plugin_brings_along(run: Runner) -> None:
    """A package of data, found by the standard library itself: one zone, an hour ahead (RFC 8536, version 1)."""
    counts = (0, 0, 0, 0, 1, 4)
    zone = b"TZif" + bytes(16) + b"".join(count.to_bytes(4, "big") for count in counts) + b"\0\0\x0e\x10\0\0CET\0"
    files: dict[str, str | bytes] = {
        "plugin.py": "from datetime import datetime\nfrom zoneinfo import ZoneInfo\n"
        "print(datetime(2024, 1, 1, tzinfo=ZoneInfo('Here/There')).isoformat())\n",
        "tzdata/__init__.py": "",
        "tzdata/zoneinfo/__init__.py": "",
        "tzdata/zoneinfo/Here/__init__.py": "",
        "tzdata/zoneinfo/Here/There": zone,
    }
    assert (await run.plugin(zipped(files))).text == "2024-01-01T00:00:00+01:00\n"


async def test_modules_that_import_one_another(run: Runner) -> None:
    files = {
        "plugin.py": "import a\nprint(a.both())\n",
        "a.py": "import b\ndef both():\n    return b.two() + 1\n",
        "b.py": "import a\ndef two():\n    return 2 if a.both else 0\n",
    }
    assert (await run.plugin(zipped(files))).text == "3\n"


async def test_a_module_that_does_not_compile_says_so_where_it_is_imported(run: Runner) -> None:
    files = {
        "plugin.py": "try:\n    import bad\nexcept SyntaxError as e:\n    print(e.filename, e.lineno)\n",
        "bad.py": "x = 1\ny = (\n",
    }
    assert (await run.plugin(zipped(files))).text == "bad.py 2\n"


async def test_a_module_with_an_encoding_of_its_own(run: Runner) -> None:
    files = {
        "plugin.py": "import old\nprint(old.X)\n",
        "old.py": "# -*- coding: latin-1 -*-\nX = 'ü'\n".encode("latin-1"),
    }
    assert (await run.plugin(zipped(files))).text == "ü\n"


async def test_nothing_of_a_call_is_left_for_the_next(run: Runner) -> None:
    files = {
        "plugin.py": """
            import sys, state
            state.count += 1
            late = 'late' in sys.modules
            import late as module
            sys.meta_path.clear()
            sys.path_hooks.clear()
            sys.path.clear()
            open = None
            print(state.count, late, len(state.kept), module.X)
            state.kept.append(1)
            state.__spec__.loader._tree.files.clear()
        """,
        "state.py": "count = 0\nkept = []\n",
        "late.py": "X = 5\n",
    }
    plugin = zipped(files)
    first, second = await run.plugin(plugin), await run.plugin(plugin)
    assert (first.text, second.text) == ("1 False 0 5\n",) * 2
    assert first.pid == second.pid


async def test_no_code_of_the_plugin_runs_before_its_first_call(run: Runner) -> None:
    files = {
        "plugin.py": "import time, noisy\nprint(noisy.AT > time.time() - 5, noisy.INPUT)\n",
        "noisy.py": "import time, platform_sdk\nAT = time.time()\nINPUT = platform_sdk.get_input()\n",
    }
    assert (await run.plugin(zipped(files), "now")).text == "True now\n"


async def test_what_was_made_beforehand_is_found_only_where_the_search_begins(run: Runner) -> None:
    """A plugin that changes where modules are searched for gets what it asked for."""
    files = {
        "plugin.py": """
            import sys
            sys.path.insert(0, "vendor")
            import thing
            import pkg
            pkg.__path__.insert(0, "other")
            import pkg.part
            print(thing.WHERE, pkg.part.WHERE)
            del sys.modules["thing"]
            sys.path.pop(0)
            import thing
            print(thing.WHERE)
            del sys.modules["thing"]
            first = thing
            import thing
            print(thing is first, thing.WHERE)
        """,
        "thing.py": "WHERE = 'root'\n",
        "vendor/thing.py": "WHERE = 'vendor'\n",
        "pkg/__init__.py": "",
        "pkg/part.py": "WHERE = 'pkg'\n",
        "other/part.py": "WHERE = 'other'\n",
    }
    assert (await run.plugin(zipped(files))).text == "vendor other\nroot\nFalse root\n"


async def test_a_plugin_of_one_file_sees_no_files(run: Runner) -> None:
    ran = await run("import os\nprint(os.path.exists('plugin.py'), open.__module__)")
    assert ran.text == "False _io\n"


async def test_source_that_takes_too_much_memory_to_compile_is_told_so(run: Runner) -> None:
    source = "".join(f"def f{n}(a=1):\n    return [a, {n}, {{'k': a}}]\n" for n in range(12_000))
    ran = await run.plugin(zipped({"plugin.py": "import large\n", "large.py": source}, memory_bytes=64 << 20))
    assert (ran.error_type, ran.error) == (
        "out_of_memory",
        "the plugin takes more memory to compile than it may have: raise memory_bytes, or make it smaller",
    )


async def test_many_modules_of_which_few_are_used_are_prepared_soon(run: Runner) -> None:
    """Two megabytes that nothing imports are not compiled for a call; what is imported by name at run time still works."""
    lines = "def f(x):\n    return [x, x + 1, {'k': x}]\n" * 400
    files = {f"lib/m{n}.py": f"{lines}N = {n}\n" for n in range(150)} | {
        "lib/__init__.py": "",
        "plugin.py": "import importlib\nprint(importlib.import_module('lib.m' + '149').N)\n",
    }
    assert (await run.plugin(zipped(files, cpu_ms=10_000))).text == "149\n"
