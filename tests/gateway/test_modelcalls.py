"""What a list of plugins says about their model calls, counted in Python and, for what was stored before, in SQL."""

import asyncpg
import pytest

from gateway.migrations import known_migrations, migrate
from gateway.modelcalls import model_calls, original_count

CASES = {
    "from platform_sdk import call_ai\ncall_ai('m', 'a')\ncall_ai ('m', 'b')": 2,
    "import platform_sdk as sdk\nfor t in sdk.stream_ai('m', 'a'):\n    sdk.embed('m', t)\nsdk.map_ai('m', [])": 3,
    "from platform_sdk import chat\nchat('m', [])\n\ndef embed(x):\n    return x\n\nchatter(1)": 1,
    "def chat(x):\n    return x\nchat(1)": 0,
    "from platform_sdk import get_input": 0,
    "print(1)": 0,
}


def test_modules_are_counted_together() -> None:
    assert model_calls(CASES) == 6
    assert model_calls([]) == 0
    assert original_count(["call_ai(", "call_ai(call_ai("]) == 3
    assert original_count(["call_ai (", "chat("]) == 1


@pytest.mark.parametrize("source", CASES)
async def test_what_was_stored_before_is_counted_alike(database_dsn: str, source: str) -> None:
    assert model_calls([source]) == CASES[source]
    connection = await asyncpg.connect(database_dsn)
    try:
        await migrate(connection, known_migrations()[:2])
        async with connection.transaction():
            await connection.execute("INSERT INTO plugins (name, current) VALUES ('p', $1)", "0" * 64)
            await connection.execute(
                "INSERT INTO revisions (plugin, digest, number, source, limits, calls) "
                "VALUES ('p', $1, 1, $2, '{}', 1)",
                "0" * 64,
                source,
            )
        await migrate(connection)
        assert await connection.fetchval("SELECT model_calls FROM revisions") == CASES[source]
    finally:
        await connection.close()
