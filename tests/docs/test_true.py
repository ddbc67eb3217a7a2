"""What the documentation says that code can check."""

import re
from pathlib import Path

import pytest

from schemas.errors import AIErrorCode, ErrorType, from_wire
from schemas.limits import MAX_PROMPT_CHARACTERS, MAX_SOURCE_BYTES, MIB, Limits

PROJECT = Path(__file__).parents[2]
PAGES = [
    *(PROJECT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "sdk/examples/README.md")),
    *sorted((PROJECT / "docs").glob("*.md")),
]
README = (PROJECT / "README.md").read_text()


def anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), target
        if anchor:
            assert anchor in anchors(there), target


def test_every_setting_is_described_and_none_that_is_not() -> None:
    code = "".join(file.read_text() for file in PROJECT.glob("*/**/settings.py") if ".venv" not in file.parts)
    code += (PROJECT / "deploy" / "places.py").read_text()
    read = set(re.findall(r"\b(?:WASMFORGE_[A-Z_]+|OLLAMA_URL)\b", code))
    described = set(re.findall(r"\b(?:WASMFORGE_[A-Z_]+|OLLAMA_URL)\b", (PROJECT / "docs/operating.md").read_text()))
    assert described == read


def test_every_error_type_stands_in_the_table_with_its_status() -> None:
    rows = re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|.*\| ([\d, ]+) \|$", README, re.MULTILINE)
    found = {}
    for names, statuses in rows:
        each = re.findall(r"\w+", names)
        numbers = [int(status) for status in statuses.split(",")]
        found |= dict(zip(each, numbers if len(numbers) > 1 else numbers * len(each), strict=True))
    assert found == {error_type.value: from_wire(error_type, "").http_status for error_type in ErrorType}


def test_every_code_of_an_ai_error_is_described() -> None:
    page = (PROJECT / "docs/plugins.md").read_text()
    table = page[page.index("| `code` | why |") :].split("\n\n")[0]
    assert set(re.findall(r"`(\w+)`", table)) - {"code"} == {code.value for code in AIErrorCode}


def test_limits_are_the_real_ones() -> None:
    limits = Limits()
    rows = {name: default for default, name in re.findall(r"^\| .+ \| (.+) \| `(\w+)` \|$", README, re.MULTILINE)}
    assert rows == {
        "timeout_ms": f"{limits.timeout_ms // 1000} s",
        "cpu_ms": f"{limits.cpu_ms // 1000} s",
        "memory_bytes": f"{limits.memory_bytes // MIB} MiB",
        "ai_calls": str(limits.ai_calls),
        "input_bytes": f"{limits.input_bytes // MIB} MiB",
        "output_bytes": f"{limits.output_bytes // MIB} MiB",
        "log_bytes": f"{limits.log_bytes // 1024} KiB, the rest is dropped",
    }
    assert set(rows) == set(Limits.__struct_fields__)
    assert f"{MAX_PROMPT_CHARACTERS:,} characters" in README
    assert f"{MAX_SOURCE_BYTES:,} bytes" in README


def test_the_number_of_executors_is_the_real_one() -> None:
    (number,) = re.findall(r"^EXECUTORS \?= (\d+)$", (PROJECT / "Makefile").read_text(), re.MULTILINE)
    assert f"three executors ({number} otherwise)" in (PROJECT / "docs/operating.md").read_text()


def test_the_number_of_examples_is_the_real_one() -> None:
    assert len(list((PROJECT / "sdk/examples").glob("*.py"))) == 15, "README says fifteen"
    assert "[fifteen examples]" in README


def test_every_folder_of_the_layout_is_there_and_all_are_named() -> None:
    named = set(re.findall(r"`(\w+)/`", README[README.index("## Layout") :]))
    tracked = {
        path.name for path in PROJECT.iterdir() if path.is_dir() and any(path.glob("*.*")) and path.name[0] not in "._"
    }
    assert named == tracked
