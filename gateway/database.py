"""The connection to PostgreSQL: made in the background, and never waited for by a request for long."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from gateway.migrations import MigrationRefused, migrate
from schemas.errors import Unavailable

log = logging.getLogger(__name__)

_CONNECT_SECONDS = 2.0
_COMMAND_SECONDS = 3.0
_RETRY_SECONDS = 0.5
_REFUSED_RETRY_SECONDS = 5.0
_CLOSE_SECONDS = 3.0

if TYPE_CHECKING:
    Connection = PoolConnectionProxy[asyncpg.Record]
    Pool = asyncpg.Pool[asyncpg.Record]

_AWAY = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # what the library says of a connection that broke in the middle of something
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.ReadOnlySQLTransactionError,
)


class Database:
    """A pool of connections to a migrated database.

    ``run`` connects and migrates; until then, and whenever PostgreSQL is away, ``connection`` raises `Unavailable`.
    """

    def __init__(self, dsn: str, connections: int) -> None:
        self._dsn = dsn
        self._connections = connections
        self._pool: Pool | None = None
        self._problem = "the gateway has not connected to it yet"
        self._lost = asyncio.Event()

    async def run(self) -> None:
        """Connect, migrate, and do both again when the database was replaced; until cancelled."""
        while True:
            self._lost.clear()
            try:
                pool = await self._open()
            except MigrationRefused as error:
                self._say(str(error), logging.ERROR)
                await asyncio.sleep(_REFUSED_RETRY_SECONDS)
                continue
            except (*_AWAY, asyncpg.PostgresError, ValueError) as error:
                self._say(_reason(error), logging.WARNING)
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            self._pool, self._problem = pool, ""
            log.info("database: connected")
            await self._lost.wait()
            self._pool = None
            pool.terminate()

    @asynccontextmanager
    async def connection(self) -> "AsyncIterator[Connection]":
        """A connection for one short piece of work.

        Raises:
            Unavailable: PostgreSQL is away, also if it went away during the work.
        """
        pool = self._pool
        if pool is None:
            raise _unavailable(self._problem)
        try:
            async with pool.acquire(timeout=_CONNECT_SECONDS) as connection:
                yield connection
        except asyncpg.UndefinedTableError as error:
            # Another, empty database stands in the place of the one that was migrated.
            self._lost.set()
            raise _unavailable("its tables are gone, they are being made anew") from error
        except _AWAY as error:
            raise _unavailable(_reason(error)) from error

    async def close(self) -> None:
        """Give connections back and close them."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        try:
            async with asyncio.timeout(_CLOSE_SECONDS):
                await pool.close()
        except (*_AWAY, asyncpg.PostgresError):
            pool.terminate()

    async def _open(self) -> "Pool":
        connection = await asyncpg.connect(self._dsn, timeout=_CONNECT_SECONDS)
        try:
            await migrate(connection)
        finally:
            await connection.close(timeout=_CONNECT_SECONDS)
        return await asyncpg.create_pool(
            self._dsn,
            # None is kept at any price: the library would log a traceback for each try while PostgreSQL is away.
            min_size=0,
            max_size=self._connections,
            timeout=_CONNECT_SECONDS,
            command_timeout=_COMMAND_SECONDS,
        )

    def _say(self, problem: str, level: int) -> None:
        if problem != self._problem:
            log.log(level, "database: %s", problem)
        self._problem = problem


def _unavailable(problem: str) -> Unavailable:
    return Unavailable(f"PostgreSQL is away: {problem}")


def _reason(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    text = str(error) or type(error).__name__
    return text.splitlines()[0][:300]
