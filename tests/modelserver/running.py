"""The embedded model server as a real process."""

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx

from deploy.local.loader import interpreter
from deploy.local.process import Child, Command, spawn, tail
from deploy.places import Places

MODEL = "smollm2:135m"
READY_SECONDS = 60


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class ModelServer:
    """A model server on a port that stays the same however often it is killed and started."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = folder / f"modelserver-{self.port}.log"
        self.ready_seconds = 0.0
        self._command = Command(
            [*interpreter(Places.read(os.environ).wasmedge), "-m", "deploy.modelserver"],
            os.environ
            | {"WASMFORGE_MODELSERVER": f"127.0.0.1:{self.port}", "WASMFORGE_CACHE": str(folder / "cache")}
            | environment,
            self.log,
        )
        self._child: Child | None = None

    def run_instead(self, argv: list[str]) -> None:
        """Run another program that listens on the same port."""
        self._command = replace(self._command, argv=argv)

    async def start(self) -> None:
        """Start it; it answers when this returns."""
        started = time.perf_counter()
        child = self._child = await spawn(self._command)
        async with httpx.AsyncClient(trust_env=False) as http, asyncio.timeout(READY_SECONDS):
            while True:
                assert child.returncode is None, tail(self.log, 20)
                try:
                    response = await http.get(f"{self.url}/api/version")
                except httpx.ConnectError:
                    await asyncio.sleep(0.01)
                    continue
                assert response.status_code == 200
                break
        self.ready_seconds = time.perf_counter() - started

    async def stop(self) -> int:
        """SIGTERM; the exit status."""
        child, self._child = self._child, None
        return await child.stop(15) if child is not None else 0

    async def kill(self) -> None:
        """kill -9."""
        child, self._child = self._child, None
        if child is not None:
            await child.kill()


@asynccontextmanager
async def running_modelserver(folder: Path, **environment: str) -> AsyncIterator[ModelServer]:
    """A model server for the length of the block."""
    server = ModelServer(folder, **environment)
    try:
        await server.start()
        yield server
    finally:
        await server.stop()
