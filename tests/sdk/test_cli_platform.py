"""The command line against the whole platform, and the wrapper in the project's folder."""

import json
import shutil
import subprocess
from pathlib import Path

from tests.sdk.command import PROJECT, wasmforge
from tests.support.platform import Platform


async def test_a_plugin_from_deploy_to_delete(stack: Platform, tmp_path: Path) -> None:
    file = tmp_path / "cli_life.py"
    file.write_text(
        '"""Turns bytes round."""\nfrom platform_sdk import *\n'
        'print("log line")\nsend_output(get_input_bytes()[::-1])\n'
    )
    url = stack.http_url

    deployed = await wasmforge(url, "deploy", str(file), "--limits", "timeout_ms=5000")
    assert deployed.code == 0, deployed.err
    assert deployed.out.startswith(b"deployed cli_life, revision ")

    ran = await wasmforge(url, "run", "cli_life", stdin=b"a\xff\x00b\n")
    assert (ran.code, ran.out, ran.err) == (0, b"\nb\x00\xffa", "log line\n")

    listed = await wasmforge(url, "list")
    assert any(
        line.split()[0] == b"cli_life" and line.endswith(b"Turns bytes round.") for line in listed.out.splitlines()
    )
    shown = json.loads((await wasmforge(url, "show", "cli_life", "--json")).out)
    assert shown["limits"]["timeout_ms"] == 5000
    assert (await wasmforge(url, "show", "cli_life", "--code")).out == file.read_bytes()
    assert b"5,000" in (await wasmforge(url, "show", "cli_life")).out

    deleted = await wasmforge(url, "delete", "cli_life", "--yes")
    assert (deleted.code, deleted.out) == (0, b"deleted cli_life\n")
    again = await wasmforge(url, "run", "cli_life", "x")
    assert (again.code, again.out) == (2, b"")
    assert again.err.count("\n") == 1


async def test_source_that_does_not_compile(stack: Platform, tmp_path: Path) -> None:
    file = tmp_path / "cli_bad.py"
    file.write_text("x = 1\nif x\n    pass\n")
    ran = await wasmforge(stack.http_url, "deploy", str(file))
    assert (ran.code, ran.out) == (2, b"")
    assert ran.err == f"wasmforge: {file}:2:5: expected ':'\n"


async def test_a_plugin_that_raises_shows_its_traceback(stack: Platform) -> None:
    await wasmforge(stack.http_url, "deploy", "-", "--name", "cli_raises", stdin=b"def f():\n    1/0\nf()\n")
    ran = await wasmforge(stack.http_url, "run", "cli_raises", "x")
    assert (ran.code, ran.out) == (1, b"")
    assert ran.err.startswith("wasmforge: cli_raises failed (plugin_error, execution ")
    assert 'File "plugin.py", line 2, in f' in ran.err
    assert ran.err.endswith("ZeroDivisionError: division by zero\n")


async def test_models_and_status(stack: Platform) -> None:
    models = await wasmforge(stack.http_url, "models")
    assert models.code == 0
    assert b"smollm2:135m" in models.out
    status = await wasmforge(stack.http_url, "status", "--json")
    assert status.code == 0
    assert json.loads(status.out)["health"]["status"] == "ok"


def test_the_wrapper_says_what_is_missing(tmp_path: Path) -> None:
    wrapper = shutil.copy(PROJECT / "wasmforge", tmp_path)
    link = tmp_path / "link"
    link.symlink_to(wrapper)
    ran = subprocess.run([link, "list"], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert (
        ran.stderr
        == f"wasmforge: {tmp_path}/.venv is missing: run 'make up' in {tmp_path} once, it sets everything up\n"
    )


def test_the_wrapper_keeps_folder_and_arguments(tmp_path: Path) -> None:
    wrapper = shutil.copy(PROJECT / "wasmforge", tmp_path)
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\npwd\nprintf "%s\\n" "$PYTHONPATH" "$@"\n')
    python.chmod(0o755)
    ran = subprocess.run(
        [wrapper, "run", "a b", ""], cwd="/", env={"PATH": "/usr/bin:/bin"}, capture_output=True, check=True
    )
    assert ran.stdout.decode() == f"/\n{tmp_path}\n-m\nsdk.cli\nrun\na b\n\n"


async def test_top_shows_who_asked_the_models(stack: Platform) -> None:
    # Left to itself a small model may go on for minutes.
    source = b"""from platform_sdk import *
send_output(call_ai('qwen2.5:1.5b', 'Say hi.', options={'temperature': 0, 'num_predict': 8}))
"""
    await wasmforge(stack.http_url, "deploy", "-", "--name", "cli_top", stdin=source)
    assert (await wasmforge(stack.http_url, "run", "cli_top", "x")).code == 0
    top = await wasmforge(stack.http_url, "top", "--once")
    assert (top.code, top.err) == (0, "")
    lines = top.out.decode().splitlines()
    assert lines[0].startswith("1 broker: ")
    assert any(line.startswith("cli_top ") for line in lines)
    counted = json.loads((await wasmforge(stack.http_url, "top", "--json")).out)
    (plugin,) = [each for each in counted["plugins"] if each["key"] == "cli_top"]
    assert plugin["requests"] == 1
    assert plugin["output_tokens"] > 0
    await wasmforge(stack.http_url, "delete", "cli_top", "--yes")
