"""The numbers of docs/security.md and docs/sandbox.md are those of the code and of the tests."""

import re
from pathlib import Path

from executor import execution, pool, sandboxes
from executor.sandbox.confine import LAYERS
from tests.security.attacks import CASES, FAMILIES
from tests.security.attacks.takeover import ATTACKS as TAKEOVER
from tests.security.native import ALL
from tests.security.test_archives import CASES as ARCHIVES
from tests.security.test_archives import DAMAGED
from tests.security.test_fuzz import NEAR, TARGETS
from tests.security.test_zip_plugins import ATTACKS as OF_MANY_FILES

DOCS = Path(__file__).parents[2] / "docs"
SECURITY = (DOCS / "security.md").read_text(encoding="utf-8")
SANDBOX = (DOCS / "sandbox.md").read_text(encoding="utf-8")


def test_the_attacks_are_as_many_as_it_says() -> None:
    table = dict(re.findall(r"\| (\w+)(?: \([^|]*\))? \| (\d+) ", SECURITY))
    assert {family: int(table[family]) for family in FAMILIES} == {name: len(found) for name, found in FAMILIES.items()}
    assert f"{len(CASES)} in {len(FAMILIES)} families" in SECURITY
    assert f"does so in {len(TAKEOVER)} ways" in SECURITY


def test_the_other_numbers_are_those_of_the_code() -> None:
    assert f"{len(ALL)} system calls" in SECURITY
    assert f"| {len(ARCHIVES)}, and {DAMAGED:,} damaged ones |" in SECURITY
    assert f"left for the next call | {len(OF_MANY_FILES)} |" in SECURITY
    assert f"{len(TARGETS)} targets, {NEAR} changed inputs" in SECURITY
    assert f"{sandboxes.MAX_FRAMES_A_SECOND:,} a second" in SECURITY
    assert f"{execution._MAX_REQUESTS:,} and {execution._MAX_REQUESTED_BYTES >> 20} MiB a call" in SECURITY
    assert f"{execution._MAX_RESULTS} and {execution._MAX_RESULT_BYTES >> 10} KiB each" in SECURITY
    for text in (SECURITY, SANDBOX):
        assert f"{pool.MAX_CALLS:,} calls" in text
        assert f"{pool.IDLE_SECONDS:.0f} s" in text


def test_every_layer_is_explained() -> None:
    assert [layer for layer in LAYERS if f"`{layer}`" not in SECURITY] == []


def test_every_test_it_names_is_there() -> None:
    tests = "".join(file.read_text(encoding="utf-8") for file in Path(__file__).parent.glob("*.py"))
    named = set(re.findall(r"test_[a-z0-9_]+(?!\.py)\b", SECURITY + SANDBOX))
    files = {file.stem for file in Path(__file__).parent.glob("test_*.py")}
    assert {name for name in named - files if f"def {name}(" not in tests} == set()
