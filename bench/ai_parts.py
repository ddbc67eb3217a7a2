"""What the AI bench runs: NATS, brokers, model servers, and those who ask."""

import asyncio
import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import msgspec
from nats.aio.client import Client

from bench.ai_client import Heard, Load
from bench.ai_server import Counts
from bench.in_executor import Wrong
from bench.worker import Worker, worker
from deploy.local import ports
from deploy.local.loader import interpreter
from deploy.local.process import Child, Command, spawn, tail
from deploy.places import PROJECT, Places
from schemas import subjects
from schemas.ai import ModelsReply

_READY_SECONDS = 60.0
_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Process:
    """A running part, and what it costs."""

    child: Child

    def cpu_seconds(self) -> float:
        """CPU time so far."""
        fields = Path(f"/proc/{self.child.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND

    def memory_bytes(self) -> int:
        """Resident memory."""
        return int(Path(f"/proc/{self.child.pid}/statm").read_text().split()[1]) * _PAGE_BYTES


@contextlib.asynccontextmanager
async def _run(command: Command) -> AsyncIterator[Process]:
    child = await spawn(command)
    try:
        yield Process(child)
    finally:
        await child.stop(10)


@contextlib.asynccontextmanager
async def broker(folder: Path, nats: str, *servers: str, **more: str) -> AsyncIterator[Process]:
    """``python -m broker`` before these model servers, ready."""
    log = folder / f"broker-{time.monotonic_ns()}.log"
    environment = {**os.environ, "WASMFORGE_NATS": nats, "OLLAMA_URLS": ",".join(servers), "WASMFORGE_LOG": "WARNING"}
    started = Command([sys.executable, "-m", "broker"], environment | {"WASMFORGE_LOG": "INFO"} | more, log)
    async with _run(started) as process:
        async with asyncio.timeout(_READY_SECONDS):
            while "ready" not in (tail(log) if log.exists() else ""):
                if process.child.returncode is not None:
                    raise Wrong(f"the broker does not start: {tail(log)}")
                await asyncio.sleep(0.01)
        yield process


async def knows_models(nc: Client, count: int = 1) -> None:
    """Wait until the brokers have heard of all their model servers."""
    async with asyncio.timeout(_READY_SECONDS):
        while True:
            reply = await nc.request(subjects.AI_MODELS, b"", timeout=5)
            known = msgspec.json.decode(reply.data, type=ModelsReply)
            if known.connected and sum(server.connected for server in known.servers) >= count:
                return
            await asyncio.sleep(0.05)


@dataclass(frozen=True)
class Server:
    """A stub."""

    url: str
    process: Process

    async def counts(self) -> Counts:
        """How many answers ran; the peak is of the time since this was last asked."""
        async with httpx.AsyncClient(trust_env=False) as http:
            return msgspec.json.decode((await http.get(f"{self.url}/counts")).content, type=Counts)


@contextlib.asynccontextmanager
async def stub(folder: Path) -> AsyncIterator[Server]:
    """`bench.ai_server`."""
    port = ports.find_free("127.0.0.1")
    command = [sys.executable, "-m", "bench.ai_server", "--port", str(port)]
    log = folder / f"server-{port}.log"
    async with _run(Command(command, os.environ, log, directory=PROJECT)) as process:
        url = f"http://127.0.0.1:{port}"
        await _answers(url, process, log)
        yield Server(url, process)


@contextlib.asynccontextmanager
async def embedded(folder: Path) -> AsyncIterator[str]:
    """The embedded model server, its model loaded; the value is its address."""
    port = ports.find_free("127.0.0.1")
    command = [*interpreter(Places.read(os.environ).wasmedge), "-m", "deploy.modelserver"]
    environment = {**os.environ, "WASMFORGE_MODELSERVER": f"127.0.0.1:{port}"}
    log = folder / "modelserver.log"
    async with _run(Command(command, environment, log, directory=PROJECT)) as process:
        url = f"http://127.0.0.1:{port}"
        await _answers(url, process, log)
        yield url


async def _answers(url: str, process: Process, log: Path) -> None:
    async with httpx.AsyncClient(trust_env=False) as http, asyncio.timeout(_READY_SECONDS):
        while True:
            if process.child.returncode is not None:
                raise Wrong(f"a model server does not start: {tail(log)}")
            with contextlib.suppress(httpx.TransportError):
                if (await http.get(f"{url}/api/tags")).status_code == 200:
                    return
            await asyncio.sleep(0.02)


class Askers:
    """`bench.ai_client`, running."""

    def __init__(self, running: Worker) -> None:
        self._worker = running

    async def hear(self, load: Load) -> Heard:
        """Let them ask."""
        return await self._worker.ask(load, Heard, load.seconds + 180)


@contextlib.asynccontextmanager
async def askers() -> AsyncIterator[Askers]:
    """A process of them."""
    async with worker("bench.ai_client") as running:
        yield Askers(running)
