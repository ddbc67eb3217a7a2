"""The table of the standard library is what the sandbox says today."""

from pathlib import Path

import pytest

from executor.modules import table
from executor.pool import Pool

DOCUMENT = Path(__file__).parents[2] / "docs" / "modules.md"


async def test_the_document_is_what_comes_out(pool: Pool) -> None:
    made = await table.table(pool)
    assert made == DOCUMENT.read_text(encoding="utf-8"), "run: python -m executor.modules > docs/modules.md"


async def test_what_is_said_not_to_work_must_fail(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "PARTLY", {"json": ("json.dumps(1)", "all", "a test")})
    with pytest.raises(RuntimeError, match="it does: json"):
        await table.table(pool)
