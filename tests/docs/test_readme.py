"""The README's own commands and programs, run as they stand there; only the addresses are the test's."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.sdk.command import PROJECT
from tests.support.platform import Platform

README = (PROJECT / "README.md").read_text()


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def commands_and_output(block: str) -> tuple[str, str]:
    """A console block as a script, and what it shows."""
    script, shown, here = [], [], False
    for line in block.splitlines():
        if here or line.startswith("$ "):
            script.append(line.removeprefix("$ "))
            here = line != "EOF" and (here or "<<'EOF'" in line)
        else:
            shown.append(line)
    return "\n".join(script), "\n".join(shown)


async def run(stack: Platform, folder: Path, *command: str) -> str:
    environment = os.environ | {"WASMFORGE_HTTP": stack.http_url, "PYTHONPATH": str(PROJECT)}
    done = await asyncio.to_thread(
        subprocess.run, command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


async def test_first_plugin_and_every_way_to_call_it(stack: Platform, tmp_path: Path) -> None:
    (tmp_path / "wasmforge").write_text(f'#!/bin/sh\nexec {sys.executable} -m sdk.cli "$@"\n')
    (tmp_path / "wasmforge").chmod(0o755)
    script, shown = commands_and_output(blocks("console")[0])
    output = await run(stack, tmp_path, "bash", "-e", "-c", script)
    assert output.strip() == shown.strip()

    programs = [block for block in blocks("python") if "asyncio.run" in block]
    assert len(programs) == 2
    for block in programs:
        here = block.replace("nats://127.0.0.1:4222", stack.nats_url).replace("http://127.0.0.1:8000", stack.http_url)
        assert await run(stack, tmp_path, sys.executable, "-c", here) == "GOOD MORNING!\n"


async def test_the_plugin_at_the_top_deploys(stack: Platform, tmp_path: Path) -> None:
    (top,) = [block for block in blocks("python") if "call_ai" in block]
    (tmp_path / "readme_top.py").write_text(top)
    await run(stack, tmp_path, sys.executable, "-m", "sdk.cli", "deploy", "readme_top.py")
