"""Rules of the repository that reviewers would otherwise have to remember."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parent.parent
SERVICES = ("gateway", "executor", "broker", "sdk")
PACKAGES = (*SERVICES, "schemas", "deploy")
MAX_LINES = 400
_LINK = re.compile(r"(?<!\!)\[[^\]]*\]\(([^)\s]+)\)")


def _files(pattern: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", pattern],
        cwd=PROJECT,
        capture_output=True,
        check=True,
    ).stdout
    return [PROJECT / name for name in listed.decode().split("\0") if name and (PROJECT / name).is_file()]


def _imported(file: Path) -> set[str]:
    """Top-level packages that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add((node.module or "").partition(".")[0])
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_services_share_schemas_and_nothing_else(package: str) -> None:
    files = _files(f"{package}/*.py")
    assert files
    others = set(PACKAGES) - {package} - (set() if package == "schemas" else {"schemas"})
    wrong = {str(file.relative_to(PROJECT)): sorted(_imported(file) & others) for file in files}
    assert {name: found for name, found in wrong.items() if found} == {}


@pytest.mark.parametrize("package", ["executor/engine", "deploy/setup"])
def test_what_runs_before_anything_is_installed_needs_nothing(package: str) -> None:
    installed = {"asyncpg", "httpx", "msgspec", "nats", "starlette", "uvicorn", "uvloop", "schemas"}
    extra = [PROJECT / "deploy" / "bootstrap.py", PROJECT / "deploy" / "places.py", PROJECT / "deploy" / "__init__.py"]
    for file in [*_files(f"{package}/*.py"), *extra]:
        assert not _imported(file) & installed, file


def test_no_file_is_longer_than_400_lines() -> None:
    lengths = {str(file.relative_to(PROJECT)): len(file.read_bytes().splitlines()) for file in _files("*.py")}
    assert {name: lines for name, lines in lengths.items() if lines > MAX_LINES} == {}


def test_no_link_in_the_documentation_is_dead() -> None:
    dead = []
    for file in _files("*.md"):
        for target in _LINK.findall(file.read_text(encoding="utf-8")):
            path = target.partition("#")[0]
            if "://" in target or target.startswith("mailto:") or not path:
                continue
            base = PROJECT if path.startswith("/") else file.parent
            if not (base / path.lstrip("/")).exists():
                dead.append(f"{file.relative_to(PROJECT)}: {target}")
    assert dead == []


def test_environment_variables_are_read_at_the_edge_only() -> None:
    """Below a service's ``settings.py`` and ``__main__.py`` nothing depends on the process's environment."""
    wrong = []
    for service in ("gateway", "broker", "executor"):
        for file in _files(f"{service}/*.py"):
            if file.name in ("__main__.py", "settings.py"):
                continue
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv"):
                    wrong.append(f"{file.relative_to(PROJECT)}:{node.lineno}")
    assert wrong == []
