"""Many calls that all wait on a model: one real executor, a gateway and a model in its place, nothing between."""

import asyncio
import contextlib
import logging
import os
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg

from bench.in_executor import Wrong
from bench.sandbox.calls import DATA, EXPECTED, TRIVIAL
from bench.sandbox.figures import Figure
from bench.sandbox.memory import MIB, ONLY_ROOT, private_of
from deploy.local.nats import NatsServer
from deploy.places import PROJECT
from schemas import bus, headers, subjects
from schemas.ai import GenerateReply
from schemas.digest import revision_digest
from schemas.limits import Limits
from schemas.messages import PluginRevision

ASKING = (
    "from platform_sdk import call_ai, get_input, send_output\nsend_output(call_ai('m', get_input()) + get_input())\n"
)
_PLUGINS = {"asking": ASKING, "trivial": TRIVIAL}
_STARTING = 32
"""Calls on their way to the model at once: what waits for a slot is bounded, and more would be refused."""
_START_SECONDS = 60.0
_CALL_SECONDS = 600.0
_SILENCE_SECONDS = 1.0


class _Model:
    """Answers when it is told to, and says meanwhile that it lives."""

    def __init__(self, nc: Client) -> None:
        self._nc = nc
        self.waiting: list[str] = []
        self.asked = asyncio.Semaphore(0)

    async def on_request(self, msg: Msg) -> None:
        self.waiting.append(msg.reply)
        self.asked.release()

    async def live(self) -> None:
        while True:
            await asyncio.sleep(_SILENCE_SECONDS)
            for inbox in self.waiting:
                await self._nc.publish(inbox, b"", headers={headers.EVENT: headers.EVENT_HEARTBEAT})

    async def answer(self) -> None:
        waiting, self.waiting = self.waiting, []
        reply = msgspec.json.encode(GenerateReply("m", "said ", "m"))
        for inbox in waiting:
            await self._nc.publish(inbox, reply, headers={headers.FINAL: "1"})


async def figures(folder: Path, calls: int, seconds: float) -> list[Figure]:
    """Memory of ``calls`` that wait at once, whether all are answered in the end, and calls a second over NATS."""
    # That its connection ends with the server is no news.
    logging.getLogger("schemas.bus").setLevel(logging.ERROR)
    server = NatsServer(folder / "nats")
    (folder / "nats").mkdir()
    child = await server.start()
    try:
        nc = await bus.connect(server.url, "wasmforge-bench")
        try:
            model = _Model(nc)
            await nc.subscribe(subjects.AI_GENERATE, queue=subjects.BROKERS, cb=model.on_request)
            await nc.subscribe(subjects.PLUGIN_SOURCES, queue=subjects.GATEWAYS, cb=_source_for(nc))
            await nc.flush()
            living = asyncio.create_task(model.live())
            try:
                async with _executor(server.url, folder, calls) as pid:
                    await _until_ready(nc)
                    try:
                        found = await _waiting(nc, model, pid, calls)
                    except* Wrong as failed:
                        raise failed.exceptions[0] from None
                    return [*found, await _rate(nc, seconds)]
            finally:
                living.cancel()
        finally:
            await nc.close()
    finally:
        await child.stop(10)


def _source_for(nc: Client) -> Callable[[Msg], Awaitable[None]]:
    async def answer(msg: Msg) -> None:
        name = subjects.plugin_of(msg.subject)
        source = _PLUGINS[name]
        found = PluginRevision(name, revision_digest(source, _limits()), source, _limits())
        await nc.publish(msg.reply, msgspec.json.encode(found))

    return answer


def _limits() -> Limits:
    return Limits(timeout_ms=int(_CALL_SECONDS * 1000))


@contextlib.asynccontextmanager
async def _executor(url: str, folder: Path, outside: int) -> AsyncIterator[int]:
    environment = dict(os.environ) | {
        "WASMFORGE_NATS": url,
        "WASMFORGE_OUTSIDE": str(outside),
        "WASMFORGE_GRACE_SECONDS": "0",
        "WASMFORGE_LOG": "ERROR",
    }
    with (folder / "executor.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "executor"), env=environment, cwd=PROJECT, stdout=log, stderr=log
        )
    try:
        yield process.pid
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _call(nc: Client, plugin: str, data: bytes, expected: bytes) -> None:
    given = {headers.TIMEOUT_MS: str(int(_CALL_SECONDS * 1000))}
    reply = await nc.request(subjects.function(plugin), data, timeout=_CALL_SECONDS, headers=given)
    error = headers.get_error(reply.headers, reply.data)
    if error is not None or reply.data != expected:
        raise Wrong(f"a call of {plugin} said {reply.data[:80]!r}: {error}")


async def _until_ready(nc: Client) -> None:
    async with asyncio.timeout(_START_SECONDS):
        while True:
            with contextlib.suppress(Exception):
                await _call(nc, "trivial", DATA, EXPECTED)
                break
            await asyncio.sleep(0.05)


async def _rate(nc: Client, seconds: float) -> Figure:
    count = 0
    until = time.perf_counter() + seconds

    async def caller() -> None:
        nonlocal count
        while time.perf_counter() < until:
            await _call(nc, "trivial", DATA, EXPECTED)
            count += 1

    began = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(16)))
    took = time.perf_counter() - began
    note = "server and caller on the same cores"
    return Figure("calls a second of one executor over NATS", count / took, "/s", note=note)


async def _waiting(nc: Client, model: _Model, executor: int, calls: int) -> list[Figure]:
    before = _free_bytes()
    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(calls):
            if number >= _STARTING:
                async with asyncio.timeout(_START_SECONDS):
                    await model.asked.acquire()
            group.create_task(_call(nc, "asking", b"%d" % number, b"said %d" % number))
        async with asyncio.timeout(_START_SECONDS):
            for _ in range(min(_STARTING, calls)):
                await model.asked.acquire()
        took = time.perf_counter() - began
        taken = before - _free_bytes()
        # In a thread, since it takes seconds in which the model has to say that it lives.
        sandboxes, private = await asyncio.to_thread(_measured, executor)
        if len(model.waiting) != calls or len(sandboxes) < calls:
            raise Wrong(f"{len(model.waiting)} calls wait, in {len(sandboxes)} processes, instead of {calls}")
        await model.answer()
    share = calls / 1000
    name = f"private memory of {calls:,} calls waiting on AI"
    until = Figure("  until all of them waited", took, "s", note="each in a new process; all were answered")
    if private is None:
        print(f"{name}: {ONLY_ROOT}", file=sys.stderr)
        return [until]
    note = f"{private / len(sandboxes) / MIB:.1f} MiB each; the machine had {taken / MIB / 1024:.2f} GiB less"
    return [
        Figure(
            name, private / MIB / 1024, "GiB", asked=f"{6 * share:g}", aim=f"{3 * share:g}", most=6 * share, note=note
        ),
        until,
    ]


def _measured(executor: int) -> tuple[Sequence[int], int | None]:
    """The sandbox processes of an executor, and the private memory of all of them; None: it can't be read here."""
    sandboxes = _sandboxes(executor)
    private = 0
    for pid in sandboxes:
        try:
            private += private_of(pid).total
        except PermissionError:
            return sandboxes, None
        except OSError:  # one that nothing waits in may end meanwhile
            continue
    return sandboxes, private


def _free_bytes() -> int:
    for line in Path("/proc/meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    return 0


def _sandboxes(executor: int) -> Sequence[int]:
    """Processes that a base process of this executor has forked."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
                parents.setdefault(int(fields[1]), []).append(int(entry.name))
    return [pid for base in parents.get(executor, ()) for pid in parents.get(base, ()) if _is_sandbox(pid)]


def _is_sandbox(pid: int) -> bool:
    """Not the first process of a name space, which has no descriptor; only root can tell."""
    try:
        return any(Path("/proc", str(pid), "fd").iterdir())
    except PermissionError:
        return True
    except OSError:
        return False
