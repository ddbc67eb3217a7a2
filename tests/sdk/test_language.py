"""What editors are told of the SDK."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sdk.language import SOURCE, describe

PROJECT = Path(__file__).resolve().parents[2]
GENERATED = PROJECT / "gateway" / "web" / "src" / "builder" / "language" / "platform_sdk.json"


def _names(source: str) -> dict[str, Any]:
    return {name["name"]: name for name in describe(source)["names"]}


def test_the_web_app_has_what_the_sdk_says_now() -> None:
    printed = subprocess.run(
        [sys.executable, "-m", "sdk.language"], cwd=PROJECT, capture_output=True, check=True, timeout=60
    ).stdout.decode()
    assert GENERATED.read_text(encoding="utf-8") == printed, (
        f"python -m sdk.language > {GENERATED.relative_to(PROJECT)}"
    )


def test_every_public_name_of_the_sdk_is_described() -> None:
    names = _names(SOURCE.read_text(encoding="utf-8"))
    assert {"call_ai", "get_input", "send_output", "list_models", "AIError"} <= names.keys()
    for name in names.values():
        assert name["documentation"], name["name"]
        labels = [parameter["label"] for parameter in name["parameters"] or []]
        assert all(label in name["signature"] for label in labels)
    assert names["call_ai"]["signature"].startswith("call_ai(model: str, prompt: str, *, ")
    assert names["call_ai"]["signature"].endswith(" -> str")
    assert [member["name"] for member in names["AIError"]["members"]][:1] == ["code"]


def test_arguments_have_their_help_and_other_sections_stay() -> None:
    (ask,) = describe(
        '''
def ask(what: str, *more: int, calm: bool = True, **rest: str) -> str:
    """Ask ``something``::

        ask("x")

    Args:
        what: the question,
            on two lines.
        calm: whether.

    Raises:
        ValueError: never.
    """
'''
    )["names"]
    assert ask["signature"] == "ask(what: str, *more: int, calm: bool = True, **rest: str) -> str"
    helped = {parameter["name"]: parameter["documentation"] for parameter in ask["parameters"]}
    assert helped == {"what": "the question, on two lines.", "more": "", "calm": "whether.", "rest": ""}
    keyword_only = [parameter["name"] for parameter in ask["parameters"] if parameter["keyword_only"]]
    assert keyword_only == ["calm"]
    assert ask["documentation"] == 'Ask `something`:\n\n    ask("x")\n\n**Raises**\n\n- `ValueError`: never.'


def test_a_bare_star_stands_in_the_signature() -> None:
    (f,) = describe("def f(a, *, b=1, c: int): ...")["names"]
    assert f["signature"] == "f(a, *, b=1, c: int)"
    assert [parameter["default"] for parameter in f["parameters"]] == [None, "1", None]


def test_classes_have_their_members() -> None:
    names = _names(
        '''
class Plain(Exception):
    """A class."""
    size: int = 3
    """How large."""
    _hidden: int = 4

    def __init__(self, name: str) -> None:
        self.name = name
        self._secret = 1

    @property
    def long(self) -> bool:
        """Whether it is."""

    def go(self, far: int) -> None:
        """Go."""

class Shape(TypedDict):
    """A shape."""
    role: str
'''
    )
    members = {member["name"]: member for member in names["Plain"]["members"]}
    assert {name: member["signature"] for name, member in members.items()} == {
        "size": "size: int",
        "name": "name: str",
        "long": "long: bool",
        "go": "go(far: int) -> None",
    }
    assert members["size"]["documentation"] == "How large."
    assert members["go"]["kind"] == "method"
    assert [member["kind"] for member in names["Shape"]["members"]] == ["key"]


def test_all_decides_what_is_public() -> None:
    source = '__all__ = ["b"]\ndef a(): ...\ndef b(): ...\n'
    assert [name["name"] for name in describe(source)["names"]] == ["b"]
    with pytest.raises(ValueError, match="__all__ names what is not there: c"):
        describe('__all__ = ["c"]')
    assert json.dumps(describe(source))
