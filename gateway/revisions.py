"""The revisions of a plugin: which there were, what one was, and back to it."""

import asyncio

from gateway.database import Database
from gateway.listing import files_of
from gateway.plugins import no_such_plugin
from gateway.rows import read_limits, rfc3339
from schemas.errors import NotFound
from schemas.http import RevisionCode, RevisionSummary

MAX_LISTED = 200
"""The newest of a plugin's revisions are listed, no more."""

_LIST = """
SELECT r.digest, r.number, r.created_at, r.limits, r.digest = p.current AS is_current,
       octet_length(r.source) AS source_bytes
FROM plugins p JOIN revisions r ON r.plugin = p.name
WHERE p.name = $1
ORDER BY r.number DESC LIMIT $2
"""
_ONE = """
SELECT r.digest, r.number, r.created_at, r.limits, r.source, r.archive, r.digest = p.current AS is_current
FROM plugins p JOIN revisions r ON r.plugin = p.name
WHERE p.name = $1 AND r.digest = $2
"""
_ROLL_BACK = """
UPDATE plugins SET current = $2, updated_at = clock_timestamp()
WHERE name = $1 AND EXISTS (SELECT FROM revisions WHERE plugin = $1 AND digest = $2)
RETURNING name
"""


class Revisions:
    """Reads revisions; every method raises `Unavailable` while PostgreSQL is away."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self, name: str) -> list[RevisionSummary]:
        """Newest first, at most `MAX_LISTED`.

        Raises:
            NotFound: there is no such plugin.
        """
        async with self._database.connection() as connection:
            rows = await connection.fetch(_LIST, name, MAX_LISTED)
        if not rows:
            raise no_such_plugin(name)
        return [
            RevisionSummary(
                revision=row["digest"],
                number=row["number"],
                created_at=rfc3339(row["created_at"]),
                current=row["is_current"],
                source_bytes=row["source_bytes"],
                limits=read_limits(row["limits"]),
            )
            for row in rows
        ]

    async def get(self, name: str, digest: str) -> RevisionCode:
        """One revision with its source.

        Raises:
            NotFound: the plugin has no such revision, or is not there.
        """
        async with self._database.connection() as connection:
            row = await connection.fetchrow(_ONE, name, digest)
        if row is None:
            raise no_such_revision(name, digest)
        return RevisionCode(
            name=name,
            revision=row["digest"],
            number=row["number"],
            created_at=rfc3339(row["created_at"]),
            current=row["is_current"],
            code=row["source"],
            limits=read_limits(row["limits"]),
            files=await asyncio.to_thread(files_of, row["source"], row["archive"]),
        )

    async def make_current(self, name: str, digest: str) -> None:
        """Let calls run this revision again.

        Raises:
            NotFound: the plugin has no such revision, or is not there.
        """
        async with self._database.connection() as connection:
            if await connection.fetchval(_ROLL_BACK, name, digest) is None:
                raise no_such_revision(name, digest)


def no_such_revision(name: str, digest: str) -> NotFound:
    """The answer to every question after an unknown revision."""
    return NotFound(
        f"plugin {name[:80]!r} has no revision {digest[:64]!r}; GET /api/plugins/{name[:64]}/revisions lists them"
    )
