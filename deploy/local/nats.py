"""A NATS server of our own, with JetStream, as a child process."""

import asyncio
import contextlib
import json
import os
import shutil
import sys
import time
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

from deploy.local import ports
from deploy.local.process import Child, Command, StartFailed, spawn, tail
from schemas.limits import MAX_PAYLOAD_BYTES

_READY_SECONDS = 15.0
_STOP_SECONDS = 10.0


def binary() -> str:
    """Path of the ``nats-server`` program: the one of this Python environment, else the machine's.

    Raises:
        StartFailed: there is none.
    """
    own = Path(sys.prefix) / "bin" / "nats-server"
    found = str(own) if own.is_file() else shutil.which("nats-server")
    if found is None:
        raise StartFailed("nats-server is not installed; run `make setup`")
    return found


class NatsServer:
    """One server on one port and one data folder; it can be started again after it ended.

    Args:
        data: folder of its streams, configuration and log.
        host: address to listen on.
        port: 0 for a free one, which it then keeps.
        log: its log; ``data/nats.log`` if None.
    """

    name = "nats"

    def __init__(self, data: Path, *, host: str = "127.0.0.1", port: int = 0, log: Path | None = None) -> None:
        self._data = data
        self._host = host
        self._port = port or ports.find_free(host)
        self._log = log or data / "nats.log"

    @property
    def url(self) -> str:
        """Its address for a client on this machine."""
        return f"nats://{ports.reachable(self._host, self._port)}"

    async def start(self) -> Child:
        """Start it and wait until it takes connections.

        Raises:
            StartFailed: it ended or was not ready in time; the text holds the end of its log.
        """
        self._data.mkdir(mode=0o700, parents=True, exist_ok=True)
        config = self._data / "nats.conf"
        name = f"wasmforge-{uuid.uuid4().hex[:12]}"
        config.write_text(
            f'server_name: "{name}"\n'
            f'listen: "{self._host}:{self._port}"\n'
            f"max_payload: {MAX_PAYLOAD_BYTES}\n"
            f'jetstream {{ store_dir: "{self._data}" }}\n'
        )
        child = await spawn(Command([binary(), "-c", str(config)], os.environ, self._log))
        try:
            await _until_greeting(child, self._host, self._port, name)
        except (TimeoutError, StartFailed) as error:
            await child.kill()
            raise StartFailed(f"NATS did not start: {tail(self._log, 1) or error}; see {self._log}") from error
        except BaseException:
            await child.kill()
            raise
        return child

    @contextlib.asynccontextmanager
    async def run(self) -> AsyncIterator["NatsServer"]:
        """Run it for the length of the context."""
        child = await self.start()
        try:
            yield self
        finally:
            await child.stop(_STOP_SECONDS)


async def _until_greeting(child: Child, host: str, port: int, name: str) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        if child.returncode is not None:
            raise StartFailed(f"it ended with status {child.returncode}")
        with contextlib.suppress(OSError, TimeoutError, ValueError):
            async with asyncio.timeout(1):
                reader, writer = await asyncio.open_connection(host, port)
                try:
                    greeting = await reader.readline()
                    # By its name: on a taken port somebody else's server would greet.
                    if greeting.startswith(b"INFO ") and json.loads(greeting[5:]).get("server_name") == name:
                        return
                finally:
                    writer.close()
        await asyncio.sleep(0.005)
    raise TimeoutError(f"not ready within {_READY_SECONDS:.0f} s")
