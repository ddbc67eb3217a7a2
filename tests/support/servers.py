"""A real server that a test may kill and start again."""

from typing import Generic, Protocol, TypeVar

from deploy.local.nats import NatsServer
from deploy.local.postgres import PostgresServer
from deploy.local.process import Child

_STOP_SECONDS = 10.0


class _Startable(Protocol):
    async def start(self) -> Child: ...


Server = TypeVar("Server", bound=_Startable)


class Restartable(Generic[Server]):
    """A server with its current process; ``server`` tells its address, which stays the same."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self._child: Child | None = None

    @property
    def pid(self) -> int:
        """Process id of the running server."""
        assert self._child is not None, "it does not run"
        return self._child.pid

    async def start(self) -> None:
        """Start it; ready when this returns."""
        assert self._child is None, "it runs already"
        self._child = await self.server.start()

    async def stop(self) -> None:
        """Let it stop in order."""
        child, self._child = self._child, None
        if child is not None:
            await child.stop(_STOP_SECONDS)

    async def kill(self) -> None:
        """kill -9."""
        child, self._child = self._child, None
        if child is not None:
            await child.kill()

    async def restart(self) -> None:
        """kill -9 and start again."""
        await self.kill()
        await self.start()


RestartableNats = Restartable[NatsServer]
RestartablePostgres = Restartable[PostgresServer]
