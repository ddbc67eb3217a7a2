"""The plugins, in PostgreSQL: a name points to its current revision; revisions never change."""

import asyncio
import re
from dataclasses import dataclass

import msgspec

from gateway.database import Database
from gateway.listing import files_of
from gateway.rows import read_limits, rfc3339
from schemas.errors import Conflict, NotFound
from schemas.http import InputType, PluginCode, PluginFile, PluginSummary
from schemas.limits import Limits
from schemas.messages import PluginRevision

_PUT_PLUGIN = """
INSERT INTO plugins (name, description, input_type, input_hint, current, updated_at)
VALUES ($1, $2, $3, $4, $5, clock_timestamp())
ON CONFLICT (name) DO UPDATE SET
    description = excluded.description, input_type = excluded.input_type, input_hint = excluded.input_hint,
    current = excluded.current, updated_at = clock_timestamp()
"""
# The statement above locks the plugin's row, so of two uploads of one name the second counts on from the first.
_PUT_REVISION = """
INSERT INTO revisions (plugin, digest, number, source, limits, calls, archive, model_calls)
SELECT $1, $2, coalesce(max(number), 0) + 1, $3, $4, $5, $6, $7 FROM revisions WHERE plugin = $1
ON CONFLICT (plugin, digest) DO NOTHING
"""
# A row that is not there yet can't be locked.
_ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"
_LIST = """
SELECT p.name, p.description, p.input_type, p.input_hint, r.calls, r.model_calls, r.digest, p.updated_at
FROM plugins p JOIN revisions r ON r.plugin = p.name AND r.digest = p.current
ORDER BY p.updated_at DESC, p.name
"""
_CODE = """
SELECT p.name, p.description, p.input_type, p.input_hint, r.source, r.digest, r.limits, r.archive, r.number,
       r.model_calls, p.updated_at
FROM plugins p JOIN revisions r ON r.plugin = p.name AND r.digest = p.current
WHERE p.name = $1
"""
_CURRENT = """
SELECT r.digest, r.source, r.limits, r.archive
FROM plugins p JOIN revisions r ON r.plugin = p.name AND r.digest = p.current
WHERE p.name = $1
"""
_DIGEST = re.compile(r"[0-9a-f]{64}")
_NAMED = "SELECT digest, source, limits, archive FROM revisions WHERE plugin = $1 AND digest = $2"


@dataclass(frozen=True, slots=True)
class Draft:
    """A checked upload."""

    name: str
    source: str
    description: str
    input_type: InputType
    input_hint: str
    limits: Limits
    digest: str
    """Of the revision that it makes."""
    calls: int
    """How often the source says ``call_ai(``, at least 1, as the original counts."""
    model_calls: int
    """In how many places it asks a model, however it does."""
    archive: bytes | None = None
    """Its files, packed, if it is a zip."""

    def revision(self) -> PluginRevision:
        """What executors get."""
        return PluginRevision(self.name, self.digest, self.source, self.limits, self.archive)

    def listing(self) -> list[PluginFile]:
        """Its files."""
        return files_of(self.source, self.archive)


class PluginStore:
    """Reads and writes plugins; every method raises `Unavailable` while PostgreSQL is away."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def put(self, draft: Draft, expected: str | None = None) -> None:
        """Make ``draft`` the current revision of its name; the same content again is the same revision.

        Args:
            expected: the digest that must be current before, empty if there must be no such plugin; None: any.

        Raises:
            Conflict: another revision is current, or none.
        """
        limits = msgspec.json.encode(draft.limits).decode()
        async with self._database.connection() as connection, connection.transaction():
            await connection.execute(_ONE_AT_A_TIME, draft.name)
            if expected is not None:
                current = await connection.fetchval("SELECT current FROM plugins WHERE name = $1", draft.name) or ""
                if current != expected:
                    raise _changed(draft.name, current)
            await connection.execute(
                _PUT_PLUGIN, draft.name, draft.description, draft.input_type, draft.input_hint, draft.digest
            )
            await connection.execute(
                _PUT_REVISION,
                draft.name,
                draft.digest,
                draft.source,
                limits,
                draft.calls,
                draft.archive,
                draft.model_calls,
            )

    async def list(self) -> list[PluginSummary]:
        """All plugins, newest first."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(_LIST)
        return [
            PluginSummary(
                name=row["name"],
                description=row["description"],
                input_type=row["input_type"],
                input_hint=row["input_hint"],
                calls=row["calls"],
                model_calls=row["model_calls"],
                revision=row["digest"],
                updated_at=rfc3339(row["updated_at"]),
            )
            for row in rows
        ]

    async def code(self, name: str) -> PluginCode:
        """A plugin with its current source.

        Raises:
            NotFound: there is none of this name.
        """
        async with self._database.connection() as connection:
            row = await connection.fetchrow(_CODE, name)
        if row is None:
            raise no_such_plugin(name)
        return PluginCode(
            name=row["name"],
            code=row["source"],
            description=row["description"],
            input_type=row["input_type"],
            input_hint=row["input_hint"],
            revision=row["digest"],
            limits=read_limits(row["limits"]),
            files=await asyncio.to_thread(files_of, row["source"], row["archive"]),
            number=row["number"],
            model_calls=row["model_calls"],
            updated_at=rfc3339(row["updated_at"]),
        )

    async def revision(self, name: str, digest: str | None) -> PluginRevision:
        """A revision of a plugin, the current one if ``digest`` is None.

        Raises:
            NotFound: there is no such plugin, or it has no such revision.
        """
        if digest is not None and _DIGEST.fullmatch(digest) is None:
            raise NotFound(f"plugin {name} has no revision {digest[:64]!r}: it is named by 64 hexadecimal digits")
        async with self._database.connection() as connection:
            if digest is None:
                row = await connection.fetchrow(_CURRENT, name)
            else:
                row = await connection.fetchrow(_NAMED, name, digest)
        if row is None:
            raise no_such_plugin(name) if digest is None else NotFound(f"plugin {name} has no revision {digest}")
        return PluginRevision(name, row["digest"], row["source"], read_limits(row["limits"]), row["archive"])

    async def delete(self, name: str) -> None:
        """Forget a plugin and all its revisions.

        Raises:
            NotFound: there is none of this name.
        """
        async with self._database.connection() as connection:
            if await connection.fetchval("DELETE FROM plugins WHERE name = $1 RETURNING name", name) is None:
                raise no_such_plugin(name)

    async def ping(self) -> None:
        """Raises `Unavailable` if the database does not answer."""
        async with self._database.connection() as connection:
            await connection.fetchval("SELECT 1")


def _changed(name: str, current: str) -> Conflict:
    if not current:
        return Conflict(f"plugin {name} has been deleted meanwhile; deploy it as a new one if that is wanted")
    return Conflict(
        f"plugin {name} has another revision now ({current[:12]}…) than the one this was made from; "
        "look at what changed, then deploy again"
    )


def no_such_plugin(name: str) -> NotFound:
    """The answer to every question after an unknown name."""
    return NotFound(f"there is no plugin {name[:80]!r}; GET /api/plugins/list shows what there is")
