"""The bench runs, and measures calls that work."""

import asyncio
import json
import sys
from pathlib import Path


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
