"""Brings the database to the shape that this version needs: each migration once, in order, by whoever comes first."""

import hashlib
import importlib.resources
import logging
from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

log = logging.getLogger(__name__)

_LOCK = 0x7761_736D_666F  # "wasmfo": any number that nothing else in this database locks
_LOCK_SECONDS = 60.0
_STEP_SECONDS = 600.0

_TABLE = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    name       text PRIMARY KEY,
    digest     text        NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""


class MigrationRefused(Exception):
    """The database and this version do not belong together; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One step: a file of SQL."""

    name: str
    sql: str

    @property
    def digest(self) -> str:
        """SHA-256 of its text."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def known_migrations() -> list[Migration]:
    """The migrations in `schemas.sql`, in their order."""
    files = [file for file in importlib.resources.files("schemas.sql").iterdir() if file.name.endswith(".sql")]
    return [Migration(file.name, file.read_text("utf-8")) for file in sorted(files, key=lambda file: file.name)]


async def migrate(
    connection: "asyncpg.Connection[asyncpg.Record]", migrations: Sequence[Migration] | None = None
) -> list[str]:
    """Apply what is missing, each migration in a transaction of its own; one gateway at a time.

    Returns:
        Names of the migrations that were applied now.

    Raises:
        MigrationRefused: an applied migration was changed or is not known to this version.
    """
    known = known_migrations() if migrations is None else migrations
    await connection.execute("SELECT pg_advisory_lock($1)", _LOCK, timeout=_LOCK_SECONDS)
    try:
        # Concurrent CREATE TABLE IF NOT EXISTS may fail; under the lock it can't.
        await connection.execute(_TABLE)
        applied = {
            row["name"]: row["digest"] for row in await connection.fetch("SELECT name, digest FROM schema_migrations")
        }
        _check(known, applied)
        done = []
        for migration in known:
            if migration.name in applied:
                continue
            async with connection.transaction():
                await connection.execute(migration.sql, timeout=_STEP_SECONDS)
                await connection.execute(
                    "INSERT INTO schema_migrations (name, digest) VALUES ($1, $2)", migration.name, migration.digest
                )
            log.info("database: applied migration %s", migration.name)
            done.append(migration.name)
        return done
    finally:
        if not connection.is_closed():
            await connection.execute("SELECT pg_advisory_unlock($1)", _LOCK)


def _check(known: Sequence[Migration], applied: dict[str, str]) -> None:
    by_name = {migration.name: migration for migration in known}
    for name, digest in sorted(applied.items()):
        migration = by_name.get(name)
        if migration is None:
            raise MigrationRefused(
                f"the database has had migration {name}, which this version does not know: "
                "run the version that made it, or a later one"
            )
        if migration.digest != digest:
            raise MigrationRefused(
                f"migration {name} was changed after it had been applied to this database: "
                "put the file back as it was, and write what is new as a migration of its own"
            )
    names = [migration.name for migration in known]
    late = next((name for name in names if name not in applied and any(done > name for done in applied)), None)
    if late is not None:
        raise MigrationRefused(f"migration {late} comes before one that this database has had: give it a later name")
