"""The bench runs, and measures calls that work."""

import asyncio
import json
import os
import sys
from pathlib import Path


async def test_a_glance_at_the_sandbox(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.sandbox", "--quick", "--json", str(file)),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    assert b"until all of them waited" in out
    figures = {figure["name"]: figure for figure in json.loads(file.read_text())["figures"]}
    assert len(figures) >= 14
    for figure in figures.values():
        assert figure["unit"] in ("ms", "%", "MiB", "GiB", "/s", "x", "s", "")
        assert figure["value"] > 0 or figure["unit"] in ("%", ""), figure
    # What no noise of a busy machine can change.
    assert figures["leak probe, differences"]["value"] == 0
    for name in ("private memory, prepared and idle", "private memory of 12 calls waiting on AI"):
        if os.geteuid() == 0 or name in figures:
            assert figures[name]["met"] is True
        else:
            assert f"{name}: not measured: only root" in err.decode()


async def test_a_short_run(tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench", "--rounds", "1", "--seconds", "0.2", "--json", str(figures)),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    assert b"whole, 16 callers" in out
    found = json.loads(figures.read_text())
    assert len(found["rows"]) >= 10
    for row in found["rows"]:
        assert row["calls"] > 0, row
        assert row["failures"] == 0, row
        assert 0 < row["median_ms"] <= row["p99_ms"], row
