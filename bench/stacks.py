"""What is measured over HTTP: the whole platform, and beside it the same gateway with an echo for an executor."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import httpx

from bench.in_executor import Wrong
from bench.processes import cpu_seconds
from deploy.local import ports, stack
from deploy.local.settings import Settings
from deploy.places import PROJECT

_READY_SECONDS = 60.0


@dataclass(frozen=True)
class Side:
    """A gateway to be called, and the processes behind it by what they are called in the report."""

    host: str
    port: int
    pids: Mapping[str, Sequence[int]]

    def cpu_seconds(self) -> dict[str, float]:
        """CPU time so far, by part; what executors have started is ``sandboxes``."""
        found = {}
        for part, pids in self.pids.items():
            found[part], below = cpu_seconds(pids)
            if below:
                found["sandboxes"] = below
        return found


@contextlib.asynccontextmanager
async def _program(*arguments: str) -> AsyncIterator[tuple[int, str]]:
    """One of this package's programs: its process id and the first line it said."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", *arguments, stdout=asyncio.subprocess.PIPE, cwd=PROJECT
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(_READY_SECONDS):
            said = (await process.stdout.readline()).decode().strip()
        if not said:
            raise Wrong(f"{arguments[0]} does not start")
        yield process.pid, said
    finally:
        process.terminate()
        await process.wait()


@contextlib.asynccontextmanager
async def _platform(folder: Path, model_url: str, executors: int) -> AsyncIterator[stack.Stack]:
    environment = dict(os.environ) | {
        "WASMFORGE_STATE": str(folder),
        "WASMFORGE_NATS": f"127.0.0.1:{ports.find_free()}",
        "WASMFORGE_HTTP": f"127.0.0.1:{ports.find_free()}",
        # No model is called here, and none shall take CPU time.
        "OLLAMA_URL": model_url,
    }
    environment.pop("WASMFORGE_DATABASE", None)
    settings = replace(Settings.read(environment, executors=executors), durable=False)
    async with stack.run(settings, lambda text: print(text, file=sys.stderr)) as running:
        problems = await running.wait_ready(_READY_SECONDS)
        if problems:
            raise Wrong("; ".join(problems))
        yield running


@contextlib.asynccontextmanager
async def both(folder: Path, executors: int, plugin: str, source: str) -> AsyncIterator[tuple[Side, Side]]:
    """The whole platform with ``plugin`` deployed, and the one with the echo; both for the length of the block."""
    async with (
        _program("bench.stub_modelserver") as (_, model_url),
        _platform(folder / "whole", model_url, executors) as whole,
        _platform(folder / "echo", model_url, 0) as floor,
        _program("bench.echo_executor", floor.nats_url) as (echo_pid, _),
    ):
        async with httpx.AsyncClient(base_url=whole.http_url, trust_env=False) as http:
            reply = await http.post("/api/plugins/upload", files={"file": (f"{plugin}.py", source.encode())})
            if reply.status_code != 200:
                raise Wrong(f"the plugin can't be deployed: {reply.text}")
        executing = [part.pid or 0 for name, part in whole.parts.items() if name.startswith("executor-")]
        yield _side(whole, executing), _side(floor, [echo_pid])


@contextlib.asynccontextmanager
async def fixed_server() -> AsyncIterator[Side]:
    """A server that does nothing, to know what the load generator itself can do."""
    async with _program("bench.fixed_server") as (_, port):
        yield Side("127.0.0.1", int(port), {})


def _side(running: stack.Stack, executing: Sequence[int]) -> Side:
    url = httpx.URL(running.http_url)
    parts = running.parts
    pids = {"gateway": [parts["gateway"].pid or 0], "nats": [parts["nats"].pid or 0], "executors": executing}
    return Side(url.host, url.port or 80, pids)
