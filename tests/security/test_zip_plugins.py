# ruff: noqa: E501 -- what is hostile stays in one piece
"""Hostile plugins of many files: what they do to importing, files and names ends with their call."""

import textwrap
from typing import Any

import pytest

from schemas.archive import pack
from schemas.digest import revision_digest
from schemas.limits import Limits
from schemas.messages import PluginRevision
from tests.security.attacks.attack import NOTHING, PREAMBLE
from tests.security.running import FAR_MS, Runner, differences, revision
from tests.security.test_corpus import OTHER, SECRET

MODULES = {
    "helper.py": "STATE = []\ndef f():\n    return 'helper'\n",
    "package/__init__.py": "from . import part\n",
    "package/part.py": "VALUE = 1\n",
    "data/a.txt": "data of the plugin",
}

ATTACKS: dict[str, tuple[str, str, str]] = {
    # name: what the plugin does, the error it ends with, what it sends.
    "a finder that takes every import": (
        """
        import importlib.machinery
        class Taker:
            def find_spec(self, name, path=None, target=None):
                return importlib.machinery.ModuleSpec(name, self)
            def create_module(self, spec): return None
            def exec_module(self, module): module.f = lambda: 'taken'
        sys.meta_path.insert(0, Taker())
        import helper
        platform_sdk.send_output(helper.f())
        """, "", "taken"),
    "no finders": ("sys.meta_path.clear(); sys.path_hooks.clear(); sys.path_importer_cache.clear(); sys.path.clear()", "", ""),
    "modules left": ("import helper, package\nhelper.STATE.append(1); package.part.VALUE = 2; sys.modules['left'] = helper; del sys.modules['helper']", "", ""),
    "a module in the place of the SDK": ("import helper\nsys.modules['platform_sdk'] = sys.modules['json'] = sys.modules['random'] = helper", "", ""),
    "the files changed in memory": (
        """
        import helper
        loader = helper.__spec__.loader
        loader._tree.files['helper.py'] = b'STATE = "evil"'
        loader._tree.files['../evil.py'] = b''
        loader._codes.clear()
        loader._tree.folders.clear()
        """, "", ""),
    "the code of a module changed": ("import helper\nhelper.f.__code__ = (lambda: 'evil').__code__\nhelper.__spec__.loader._codes['package/part.py'] = compile('VALUE = 9', 'x', 'exec')", "", ""),
    "the search of a package turned": ("import package\npackage.__path__[:] = ['/usr/local/lib', '..', '/proc/self', '']\nattempt(a=lambda: __import__('package.os'), b=lambda: __import__('package.environ'))", "", NOTHING),
    "places on the path": (
        """
        sys.path[:0] = ['..', '../..', '/proc/self/cwd', '/etc', 'data', '//', '\\0', '/' * 5000, b'bytes', 7, None]
        attempt(a=lambda: __import__('passwd'), b=lambda: __import__('hostname'), c=lambda: __import__('a'))
        """, "", NOTHING),
    "files out of the folder": (
        """
        attempt(**{str(n): (lambda p=p: open(p).read()) for n, p in enumerate(('../../etc/passwd', '/etc/passwd', 'data/../../etc/passwd',
            '/proc/self/environ', 'data/a.txt/../../../proc/1/cmdline', '\\\\etc\\\\passwd', 'file:///etc/passwd', '/dev/stdin', 'data/\\0a.txt'))})
        """, "", NOTHING),
    "descriptors in the place of names": ("attempt(a=lambda: open(3).read(), b=lambda: open(99, 'rb').read(), c=lambda: os.listdir(0), d=lambda: os.stat(-1), e=lambda: list(os.scandir(5)))", "", NOTHING),
    "names that are not text": (
        """
        class Name:
            calls = 0
            def __fspath__(self):
                Name.calls += 1
                return 'data/a.txt' if Name.calls == 1 else '/etc/passwd'
        class Text(str):
            def __hash__(self): return hash('data/a.txt')
            def __eq__(self, other): return True
        attempt(a=lambda: open(Text('/etc/passwd')).read() if 'root' in open(Text('/etc/passwd')).read() else 1/0, b=lambda: open(b'/etc/passwd').read(), c=lambda: open(object()).read())
        """, "", NOTHING),
    "a file written": (
        """
        def write(mode):
            with open('data/a.txt', mode) as file:
                file.write('x' if 'b' not in mode else b'x')
        attempt(**{mode: (lambda mode=mode: write(mode)) for mode in ('w', 'a', 'x', 'r+', 'wb', 'rb+', 'ab', 'r')})
        """, "", NOTHING),
    "an opener": ("attempt(a=lambda: open('data/a.txt', opener=lambda path, flags: 0).read(0) and 0 or 1/0)", "", NOTHING),
    "other ways to files": ("import io, shutil\nattempt(a=lambda: os.open('/etc/passwd', 0), b=lambda: io.FileIO('/etc/passwd'), c=lambda: io.open_code('/etc/passwd'), d=lambda: shutil.copy('data/a.txt', 'b'), e=lambda: os.symlink('/', 'data/x'), f=lambda: os.rename('data', 'd'), g=lambda: os.chdir('data'))", "", NOTHING),
    "open taken away": ("import builtins, io\nbuiltins.open = io.open = os.stat = os.listdir = None\nraise KeyError('x')", "plugin_error", ""),
    "an import that imports itself for ever": ("import importlib\ndef f():\n    sys.modules.pop('helper', None)\n    return importlib.import_module('helper') and f()\nf()", "plugin_error", ""),
    "reloaded for ever": ("import helper, importlib\nwhile True:\n    importlib.reload(helper)", "timeout", ""),
    "a resource out of the package": ("import pkgutil, importlib.resources as r\nattempt(a=lambda: pkgutil.get_data('package', '../../etc/passwd'), b=lambda: r.files('package').joinpath('../../../etc/passwd').read_text(), c=lambda: r.files('package').joinpath('/etc/passwd').read_text())", "", NOTHING),
    "a zip of its own on the path": ("sys.path.insert(0, 'data/evil.zip')\nattempt(a=lambda: __import__('inside'))", "", NOTHING),
    "the guest's own modules": ("attempt(a=lambda: __import__('guest'), b=lambda: __import__('guest.serve'), c=lambda: __import__('executor'))", "", NOTHING),
}  # fmt: skip


def plugin_of(statements: str) -> PluginRevision:
    """The plugin of these modules that does this."""
    source = PREAMBLE + textwrap.dedent(statements).strip("\n") + "\n"
    files = {path: text.encode() for path, text in (MODULES | {"plugin.py": source}).items()}
    limits = Limits(timeout_ms=1_500 if "for ever" in statements or "while True" in statements else FAR_MS)
    return PluginRevision("plugin", revision_digest(source, limits, files), source, limits, pack(files))


@pytest.fixture(scope="module")
async def untouched(run: Runner) -> dict[str, Any]:
    """What the other plugin finds in its interpreter before any attack."""
    found, _ = await run.probe(OTHER)
    return found


@pytest.mark.parametrize("name", ATTACKS)
async def test_attack(run: Runner, untouched: dict[str, Any], name: str) -> None:
    statements, error, sent = ATTACKS[name]
    plugin = plugin_of(statements)
    before, pid = await run.probe(plugin)
    ran = await run(plugin)
    assert ran.error_type == error, ran.error
    assert ran.output == sent
    if ran.fit:
        after, same_pid = await run.probe(plugin)
        assert same_pid == pid
        assert differences(before, after) == {}
        again = await run(plugin)
        assert (again.output, again.error) == (ran.output, ran.error)
    assert (await run(OTHER, SECRET)).outcome.output == SECRET[::-1]
    found, _ = await run.probe(OTHER)
    assert differences(untouched, found) == {}


async def test_a_plugin_sees_no_file_of_another_one(run: Runner) -> None:
    await run(plugin_of("import helper"))
    looks = "attempt(a=lambda: open('data/a.txt').read(), b=lambda: __import__('helper'), c=lambda: os.listdir('data'))"
    ran = await run(revision(PREAMBLE + looks, name="looks"))
    assert ran.output == NOTHING


async def test_an_archive_without_the_source_is_not_run(run: Runner) -> None:
    plugin = plugin_of("import helper")
    for archive in (b"PK", pack({"plugin.py": b"other = 1\n"}), pack({"other.py": b""})):
        changed = PluginRevision("never-run", plugin.digest, plugin.source, plugin.limits, archive)
        ran = await run(changed)
        assert ran.error_type == "runtime_error"
        assert "archive" in ran.error
