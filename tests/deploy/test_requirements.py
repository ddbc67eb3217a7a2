"""The lock files: everything pinned, everything with digests, no place named."""

import re
import tomllib
from pathlib import Path

import pytest

REQUIREMENTS = Path(__file__).resolve().parents[2] / "requirements"
LOCKS = ("runtime", "data", "engine", "node", "dev")


def _entries(name: str) -> dict[str, str]:
    text = (REQUIREMENTS / f"{name}.txt").read_text().replace("\\\n", " ")
    return {line.partition("==")[0]: line for line in text.splitlines() if line and not line.startswith("#")}


@pytest.mark.parametrize("name", LOCKS)
def test_every_package_is_pinned_and_has_digests(name: str) -> None:
    entries = _entries(name)
    assert entries
    for line in entries.values():
        assert re.match(r"[a-z0-9-]+==\S+( ; [^-]+)?\s+--hash=sha256:[0-9a-f]{64}", line), line


@pytest.mark.parametrize("name", LOCKS)
def test_no_lock_names_a_place(name: str) -> None:
    text = (REQUIREMENTS / f"{name}.txt").read_text()
    assert not re.search(r"://|file:|^\s*--?(?!hash)[a-z]|@", text, re.MULTILINE)


def test_the_runtime_lock_holds_what_the_project_depends_on() -> None:
    project = tomllib.loads((REQUIREMENTS.parent / "pyproject.toml").read_text())["project"]
    needed = {re.split(r"[<>=\[ ]", item)[0] for item in project["dependencies"]}
    assert needed <= _entries("runtime").keys()
    assert set(project["optional-dependencies"]["dev"]) <= _entries("dev").keys()


def test_the_locks_agree() -> None:
    runtime, dev = _entries("runtime"), _entries("dev")
    assert {name: dev[name].split()[0] for name in runtime} == {name: line.split()[0] for name, line in runtime.items()}
