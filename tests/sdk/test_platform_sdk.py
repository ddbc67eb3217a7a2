"""`platform_sdk` against a sandbox's transport with the same interface, in this interpreter."""

import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from sdk import platform_sdk
from sdk.platform_sdk import (
    AIError,
    call_ai,
    chat,
    embed,
    get_input,
    get_input_bytes,
    list_models,
    map_ai,
    send_chunk,
    send_output,
    stream_ai,
)


class FakeSandbox(ModuleType):
    """Keeps what the plugin sent and answers its requests with ``reply``."""

    def __init__(self) -> None:
        super().__init__("_wasmforge")
        self.input = b""
        self.sent: list[bytes] = []
        self.chunks: list[bytes] = []
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.reply: dict[str, Any] = {"ok": True, "value": "an answer"}
        self.replies: dict[str, list[dict[str, Any]]] = {}
        """By operation, one after the other; `reply` to all others."""

    def send_output(self, data: bytes) -> None:
        assert type(data) is bytes
        self.sent.append(data)

    def send_chunk(self, data: bytes) -> None:
        assert type(data) is bytes
        self.chunks.append(data)

    def request(self, operation: str, arguments: dict[str, Any]) -> dict[str, Any]:
        self.requests.append((operation, arguments))
        return self.replies[operation].pop(0) if operation in self.replies else self.reply

    def stream(self, *steps: dict[str, Any]) -> None:
        """Answer one stream."""
        self.replies = {
            "stream": [_ok({"stream": 7})],
            "next": [step if "ok" in step else _ok(step) for step in steps],
            "close": [_ok(None)],
        }

    @property
    def operations(self) -> list[str]:
        """What was asked for, in order."""
        return [operation for operation, _ in self.requests]


def _ok(value: object) -> dict[str, Any]:
    return {"ok": True, "value": value}


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


def test_a_refusal_may_say_when_to_try_again(sandbox: FakeSandbox) -> None:
    sandbox.reply = {"ok": False, "error": "full", "code": "busy", "retry_after_ms": 250}
    with pytest.raises(AIError) as caught:
        call_ai("m", "p")
    assert caught.value.retry_after_ms == 250
    assert AIError("made by a plugin").retry_after_ms is None


def test_output_that_goes_on(sandbox: FakeSandbox) -> None:
    for value in ("a\ud83d", b"\xff", {"a": 1}, 2):
        send_chunk(value)
    assert sandbox.chunks == [b"a?", b"\xff", b'{"a": 1}', b"2"]
    assert sandbox.sent == []


def test_a_call_with_pictures_and_cache(sandbox: FakeSandbox) -> None:
    call_ai("m", "p", images=[b"\x89PNG", "iVBORw=="], cache=True)
    assert sandbox.requests == [
        ("generate", {"model": "m", "prompt": "p", "images": ["iVBORw==", "iVBORw=="], "cache": True})
    ]


TURN = {"role": "assistant", "content": "hi", "tool_calls": []}


def test_a_conversation_carries_only_what_was_given(sandbox: FakeSandbox) -> None:
    sandbox.reply = _ok(TURN)
    messages: Any = [{"role": "user", "content": "half \ud83d", "images": [b"x"]}]
    assert chat("m", messages) == TURN
    chat("m", (*messages, TURN), tools=[{"type": "function"}], format="json", options={"seed": 1}, cache=True)
    sent = {"role": "user", "content": "half ?", "images": ["eA=="]}
    assert sandbox.requests == [
        ("chat", {"model": "m", "messages": [sent]}),
        (
            "chat",
            {
                "model": "m",
                "messages": [sent, TURN],
                "tools": [{"type": "function"}],
                "format": "json",
                "options": {"seed": 1},
                "cache": True,
            },
        ),
    ]
    assert messages[0]["images"] == [b"x"], "what the plugin holds is left as it was"


@pytest.mark.parametrize("messages", [[], "hello", {"role": "user"}, ["hello"], None])
def test_messages_that_are_none(sandbox: FakeSandbox, messages: Any) -> None:
    with pytest.raises(AIError, match="messages must be a list such as") as caught:
        chat("m", messages)
    assert caught.value.code == "invalid_prompt"
    assert sandbox.requests == []


def test_one_text_or_many_become_vectors(sandbox: FakeSandbox) -> None:
    sandbox.reply = _ok([[1.0], [2.0]])
    assert embed("m", ["a", "b"]) == [[1.0], [2.0]]
    embed("m", "a", cache=True)
    assert sandbox.requests == [
        ("embed", {"model": "m", "input": ["a", "b"]}),
        ("embed", {"model": "m", "input": ["a"], "cache": True}),
    ]
    with pytest.raises(AIError, match="a text is empty"):
        embed("m", ["a", " "])


def test_a_stream_yields_what_comes_and_returns_what_is_known(sandbox: FakeSandbox) -> None:
    sandbox.stream(
        {"text": "a", "done": False}, {"text": "", "done": False}, {"text": "b", "done": True, "reply": TURN}
    )
    stream = stream_ai("m", "p", system="s")
    assert sandbox.requests == [], "nothing is asked before it is read"
    assert next(stream) == "a"
    assert next(stream) == "b"
    with pytest.raises(StopIteration) as ended:
        next(stream)
    assert ended.value.value == TURN
    assert sandbox.requests[0] == ("stream", {"model": "m", "prompt": "p", "system": "s"})
    assert sandbox.requests[1:] == [("next", {"stream": 7})] * 3


def test_leaving_a_stream_closes_it(sandbox: FakeSandbox) -> None:
    sandbox.stream({"text": "a", "done": False})
    for _ in stream_ai("m", "p"):
        break
    assert sandbox.operations == ["stream", "next", "close"]


def test_a_stream_that_fails_raises_after_its_text(sandbox: FakeSandbox) -> None:
    sandbox.stream({"text": "a", "done": False}, {"ok": False, "error": "gone", "code": "unavailable"})
    stream = stream_ai("m", "p")
    assert next(stream) == "a"
    with pytest.raises(AIError, match="gone"):
        next(stream)
    with pytest.raises(StopIteration):
        next(stream)


def test_a_stream_of_a_conversation(sandbox: FakeSandbox) -> None:
    sandbox.stream({"text": "a", "done": True, "reply": {}})
    user: Any = {"role": "user", "content": "x"}
    assert list(stream_ai("m", [user], system="s", tools=[{}])) == ["a"]
    told = {"role": "system", "content": "s"}
    assert sandbox.requests[0] == ("stream", {"model": "m", "messages": [told, user], "tools": [{}]})


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: stream_ai("m", ""),
        lambda: stream_ai("m", []),
        lambda: stream_ai("m", "p", tools=[]),
        lambda: stream_ai("m", [{"role": "user", "content": "x"}], images=[]),
        lambda: stream_ai("", "p"),
    ],
)
def test_what_can_not_be_streamed_is_said_at_once(sandbox: FakeSandbox, wrong: Any) -> None:
    with pytest.raises(AIError):
        wrong()
    assert sandbox.requests == []


def test_many_prompts(sandbox: FakeSandbox) -> None:
    sandbox.reply = _ok([_ok("A"), {"ok": False, "error": "no", "code": "refused"}])
    good, bad = map_ai("m", iter(["a", "b"]), on_error="return", system="s")
    assert good == "A"
    assert isinstance(bad, AIError)
    assert (str(bad), bad.code) == ("no", "refused")
    sandbox.reply = _ok([_ok("A")])
    assert map_ai("m", ["a"]) == ["A"]
    assert sandbox.requests == [
        ("map", {"model": "m", "prompts": ["a", "b"], "system": "s", "fail_fast": False}),
        ("map", {"model": "m", "prompts": ["a"], "fail_fast": True}),
    ]


def test_many_prompts_of_which_one_can_not_be_asked(sandbox: FakeSandbox) -> None:
    with pytest.raises(AIError, match="a prompt is empty"):
        map_ai("m", ["a", ""])
    with pytest.raises(ValueError, match="on_error"):
        map_ai("m", ["a"], on_error="ignore")  # type: ignore[call-overload]
    with pytest.raises(TypeError):
        map_ai("m", ["a"], temperature=0)
    assert sandbox.requests == []


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
