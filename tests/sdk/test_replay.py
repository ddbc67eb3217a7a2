"""Tapes in authors' hands: ``wasmforge replay`` and ``test`` without a platform, the fixture for tests of their own."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from schemas.errors import InvalidInput
from schemas.limits import Limits
from schemas.tapes import Replayed, Tape, read_tape, write_tape
from sdk import replay
from sdk.cli.sources import read_source
from tests.sdk.command import PROJECT, wasmforge

SOURCE = """
import random, time
from platform_sdk import *
print("drawn", random.random(), "at", time.time())
send_output(call_ai("m", "Summarize: " + get_input()))
"""


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    file = tmp_path / "plug.py"
    file.write_text(SOURCE)
    return file


@pytest.fixture(scope="module")
async def recorded() -> Tape:
    """A tape as a recorded call leaves it."""
    made = replay.by_hand(SOURCE.encode(), "grüße".encode(), ["a summary"], Limits())
    replayed = await asyncio.to_thread(replay.replay, made)
    assert replay.differences(made, replayed)
    return replay.accepted(made, replayed)


def _saved(tape: Tape, tmp_path: Path) -> Path:
    file = tmp_path / "plug.tape.json"
    replay.save(file, write_tape(tape))
    return file


async def test_tapes_are_replayed_tested_and_accepted(recorded: Tape, plugin: Path, tmp_path: Path) -> None:
    tape = _saved(recorded, tmp_path)
    # Another text around the same requests: the output differs, and can be accepted.
    plugin.write_text(SOURCE + "send_output('more')\n")
    accepted = await wasmforge(None, "test", str(plugin), "--tape", str(tape), "--accept")
    assert accepted.code == 0
    assert read_tape(tape.read_bytes()).output == "a summary\nmore"

    # Another request: that is no matter of taste.
    plugin.write_text(SOURCE.replace("Summarize", "Shorten"))
    strayed = await wasmforge(None, "test", str(plugin), "--tape", str(tape), "--accept", "--json")
    assert strayed.code == 1
    (result,) = json.loads(strayed.out)
    assert "request 1 is not the one on the tape" in result["differences"][0]
    assert '"prompt":"Shorten: grüße"' in result["differences"][0]


async def test_a_plugin_of_several_files(tmp_path: Path) -> None:
    folder = tmp_path / "several"
    folder.mkdir()
    (folder / "plugin.py").write_text("import part\nfrom platform_sdk import *\nsend_output(part.ask(get_input()))\n")
    (folder / "part.py").write_text(
        "from platform_sdk import *\ndef ask(text): return call_ai('m', text) + open('end.txt').read()\n"
    )
    (folder / "end.txt").write_text("!")
    made = replay.by_hand(b"", b"hello", ["answer"], Limits())
    file = tmp_path / "several.tape.json"
    replay.save(file, write_tape(replay.with_source(made, read_source(str(folder)).content)))
    accepted = await wasmforge(None, "test", str(folder), "--tape", str(file), "--accept")
    assert (accepted.code, read_tape(file.read_bytes()).output) == (0, "answer!")
    again = await wasmforge(None, "replay", str(file))
    assert (again.code, again.err) == (0, "")
    assert again.out.startswith(b"the same, byte for byte: plugin, 1 requests")


async def test_what_a_tape_that_was_changed_differs_in(recorded: Tape, tmp_path: Path) -> None:
    tape = _saved(recorded, tmp_path)
    changed = json.loads(tape.read_bytes()) | {"output": "another"}
    tape.write_text(json.dumps(changed))
    found = await wasmforge(None, "replay", str(tape))
    assert found.code == 1
    assert b"-another\n+a summary" in found.out
    assert "it is not the same: 1 differences" in found.err


@pytest.mark.parametrize("content", ["", "[]", '{"version": 7}'])
async def test_a_file_that_is_no_tape(plugin: Path, tmp_path: Path, content: str) -> None:
    file = tmp_path / "bad.tape.json"
    file.write_text(content)
    ran = await wasmforge(None, "test", str(plugin), "--tape", str(file))
    assert ran.code == 2
    assert "tape" in ran.err


async def test_where_there_is_no_sandbox_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = replay.by_hand(SOURCE.encode(), b"", [], Limits())
    file = tmp_path / "a.tape.json"
    replay.save(file, write_tape(made))
    monkeypatch.setenv("WASMFORGE_ENGINES", "/nowhere")
    ran = await wasmforge(None, "replay", str(file))
    assert ran.code == 3
    assert "run 'make setup'" in ran.err


def test_bytes_that_are_none_are_said_to_be_none() -> None:
    for text in ({"base64": "é"}, {"base64": "A"}, {}):
        with pytest.raises(InvalidInput, match="base64"):
            replay.shown(text)
    assert replay.shown({"base64": "AP8="}) == "00 ff"


def test_differences_in_words() -> None:
    made = replay.by_hand(SOURCE.encode(), b"", [1, {"ok": False, "error": "e", "code": "busy"}], Limits())
    assert [exchange.answer["ok"] for exchange in made.exchanges] == [True, False]
    assert replay.differences(made, Replayed()) == []
    assert replay.differences(made, Replayed(strayed="text", output="other")) == ["text"]
    (line_ends,) = replay.differences(made, Replayed(output="\n"))
    assert line_ends
    (binary,) = replay.differences(made, Replayed(output={"base64": "/wA="}))
    assert "+ff 00" in binary
    assert replay.differences(made, Replayed(log="printed"), log=False) == []
    (unasked,) = replay.differences(made, Replayed(unasked=2))
    assert unasked.startswith("2 answers")
    with pytest.raises(InvalidInput, match="can't be read"):
        replay.load(Path("/nowhere"))


AUTHORS_TESTS = """
def test_summary(wasmforge_plugin):
    ran = wasmforge_plugin("plug.py", "a text", answers=["short"])
    assert (ran.text, ran.prompts, ran.error_type) == ("short", ["Summarize: a text"], "")
    assert "drawn" in ran.log

def test_a_model_that_fails(wasmforge_plugin):
    ran = wasmforge_plugin("plug.py", "x", answers=[{"ok": False, "error": "too much", "code": "busy"}])
    assert ran.error_type == "ai_error"
    assert "too much" in ran.error

def test_as_recorded(wasmforge_plugin):
    wasmforge_plugin("plug.py", tape="plug.tape.json").check(log=True)

def test_that_fails_because_nothing_answers(wasmforge_plugin):
    wasmforge_plugin("plug.py", "x")
"""


async def test_the_fixture_in_authors_own_tests(recorded: Tape, plugin: Path, tmp_path: Path) -> None:
    _saved(recorded, tmp_path)
    (tmp_path / "test_plug.py").write_text(AUTHORS_TESTS)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "pytest", "-q", "-p", "sdk.pytest_plugin", "-p", "no:cacheprovider", "-p", "no:asyncio",
        cwd=tmp_path, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": str(PROJECT)},
    )  # fmt: skip
    out, _ = await process.communicate()
    text = out.decode()
    assert "1 failed, 3 passed" in text
    assert "request 1 is not on the tape, which ends before it" in text
