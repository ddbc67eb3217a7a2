"""`platform_sdk` against a sandbox's transport with the same interface, in this interpreter."""

import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from sdk import platform_sdk
from sdk.platform_sdk import AIError, call_ai, get_input, get_input_bytes, list_models, send_output


class FakeSandbox(ModuleType):
    """Keeps what the plugin sent and answers its requests with ``reply``."""

    def __init__(self) -> None:
        super().__init__("_wasmforge")
        self.input = b""
        self.sent: list[bytes] = []
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.reply: dict[str, Any] = {"ok": True, "value": "an answer"}

    def send_output(self, data: bytes) -> None:
        assert type(data) is bytes
        self.sent.append(data)

    def request(self, operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
        self.requests.append((operation, arguments))
        return self.reply


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> FakeSandbox:
    fake = FakeSandbox()
    monkeypatch.setitem(sys.modules, "_wasmforge", fake)
    return fake


def test_input_is_whole_and_may_be_read_again(sandbox: FakeSandbox) -> None:
    sandbox.input = 'first\n{"ok": true}\n\nlast \N{SNOWMAN}'.encode()
    assert get_input() == get_input() == 'first\n{"ok": true}\n\nlast \N{SNOWMAN}'


def test_bytes_that_are_not_utf8_are_kept_as_bytes_and_marked_as_text(sandbox: FakeSandbox) -> None:
    sandbox.input = b"a\xff\x00b"
    assert get_input_bytes() == b"a\xff\x00b"
    assert get_input() == "a\N{REPLACEMENT CHARACTER}\x00b"


@pytest.mark.parametrize(
    ("value", "data"),
    [
        ("text \N{SNOWMAN}", "text \N{SNOWMAN}".encode()),
        ("", b""),
        (b"\xff\x00", b"\xff\x00"),
        (bytearray(b"ab"), b"ab"),
        (memoryview(b"ab"), b"ab"),
        ({"a": [1, None, "\N{SNOWMAN}"]}, '{"a": [1, null, "\N{SNOWMAN}"]}'.encode()),
        ((1, 2), b"[1, 2]"),
        (1.5, b"1.5"),
        (True, b"True"),
        (None, b"None"),
        ("half \ud83d of it", b"half ? of it"),
        (["\ud83d"], b'["?"]'),
    ],
)
def test_output_as_bytes(sandbox: FakeSandbox, value: object, data: bytes) -> None:
    send_output(value)
    assert sandbox.sent == [data]


@pytest.mark.parametrize(("value", "error"), [({"a": {1}}, TypeError), ([float("nan")], ValueError)])
def test_what_json_can_not_say_is_refused(sandbox: FakeSandbox, value: object, error: type[Exception]) -> None:
    with pytest.raises(error):
        send_output(value)
    assert sandbox.sent == []


def test_a_call_carries_only_what_was_given(sandbox: FakeSandbox) -> None:
    assert call_ai("m", "p") == "an answer"
    call_ai("m", "p", system="s", format="json", options={"seed": 1})
    assert sandbox.requests == [
        ("generate", {"model": "m", "prompt": "p"}),
        ("generate", {"model": "m", "prompt": "p", "system": "s", "format": "json", "options": {"seed": 1}}),
    ]


def test_longest_prompt_passes_and_one_more_is_refused_with_both_numbers(sandbox: FakeSandbox) -> None:
    call_ai("m", "\N{SNOWMAN}" * 4000)
    with pytest.raises(AIError, match=r"4,001 characters, at most 4,000") as caught:
        call_ai("m", "x" * 4001)
    assert caught.value.code == "prompt_too_long"
    assert len(sandbox.requests) == 1


@pytest.mark.parametrize("prompt", ["", " \n", None, b"bytes", 3])
def test_a_prompt_that_is_none(sandbox: FakeSandbox, prompt: Any) -> None:
    with pytest.raises(AIError) as caught:
        call_ai("m", prompt)
    assert caught.value.code == "invalid_prompt"
    assert sandbox.requests == []


def test_a_system_prompt_that_is_none(sandbox: FakeSandbox) -> None:
    system: Any = ["be brief"]
    with pytest.raises(AIError, match="system is list") as caught:
        call_ai("m", "p", system=system)
    assert caught.value.code == "invalid_prompt"


@pytest.mark.parametrize("model", ["", None, 3])
def test_a_model_that_is_none(sandbox: FakeSandbox, model: Any) -> None:
    with pytest.raises(AIError) as caught:
        call_ai(model, "p")
    assert caught.value.code == "model_not_found"


def test_half_a_character_in_a_prompt_is_replaced(sandbox: FakeSandbox) -> None:
    call_ai("m", "a\ud83d", system="b\ud83d")
    assert sandbox.requests[0][1] == {"model": "m", "prompt": "a?", "system": "b?"}


def test_a_refusal_raises_with_its_code(sandbox: FakeSandbox) -> None:
    sandbox.reply = {"ok": False, "error": "10 calls are used up", "code": "too_many_calls"}
    with pytest.raises(AIError, match="10 calls are used up") as caught:
        call_ai("m", "p")
    assert caught.value.code == "too_many_calls"
    with pytest.raises(AIError):
        list_models()


def test_models(sandbox: FakeSandbox) -> None:
    sandbox.reply = {"ok": True, "value": [{"name": "m", "available": True}]}
    assert list_models() == [{"name": "m", "available": True}]
    assert sandbox.requests == [("models", {})]


@pytest.mark.parametrize("use", [get_input, list_models, lambda: send_output("x"), lambda: call_ai("m", "p")])
def test_outside_the_sandbox_it_says_how_to_run_the_plugin(use: Any) -> None:
    with pytest.raises(RuntimeError, match="wasmforge run"):
        use()


def test_imports_nothing_but_json() -> None:
    code = (
        "import sys, json; before = set(sys.modules); import platform_sdk; "
        "print(*sorted(set(sys.modules) - before - {'platform_sdk', '__future__'}))"
    )
    folder = Path(platform_sdk.__file__).parent
    done = subprocess.run([sys.executable, "-S", "-c", code], cwd=folder, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
