"""An escaped guest: native code in the confined process, which the kernel must refuse everything but what a call needs.

Which layers are in force is what the base process reports. Each test says for which of them it holds; where a layer is
missing on this machine, what depends on it alone is skipped with the base's reason.
"""

import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from errno import EPERM
from pathlib import Path
from typing import Any

import pytest

from deploy.places import PROJECT
from executor import base as base_module
from executor.base import BaseProcess, Forked, kill_process
from executor.sandbox.confine import LAYERS, PAGEMAP, SERVED, SPARE
from schemas.limits import MIB
from tests.security.native import ALL, REFUSALS, Try
from tests.security.running import places

MEMORY_BYTES = 112 * MIB
"""Not what most plugins have, so that no process has been used to warm up a guest."""
_ROOM_MIB = 2 * 112 + 512
_START = (
    "import sys; sys.path.insert(0, sys.argv.pop(1)); from tests.security.escaped import main; "
    "main(sys.argv[1], sys.argv[2], %r)"
)
MODES = ("", "seccomp", "namespaces", "seccomp namespaces", "users", "install")
"""What is left out. ``users``: user name spaces alone, as in many containers; ``install``: the kernel does not take the
filter, though it could be made."""


@dataclass
class Escaped:
    """A confined process that obeys the test."""

    forked: Forked

    async def order(self, **order: Any) -> dict[str, Any]:
        """Do it there; an empty answer means that the process died of it."""
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(self.forked.connection, json.dumps(order).encode())
        said = await asyncio.wait_for(loop.sock_recv(self.forked.connection, 1 << 20), 20)
        answer: dict[str, Any] = json.loads(said) if said else {}
        return answer

    async def tried(self, a_try: Try) -> dict[str, Any]:
        """Make a system call there."""
        return await self.order(call=a_try.call, arguments=list(a_try.arguments))


@asynccontextmanager
async def escaped(base: BaseProcess) -> AsyncIterator[Escaped]:
    """A process forked from ``base``, confined: it obeys nobody before that."""
    forked = await base.fork(MEMORY_BYTES)
    process = Escaped(forked)
    try:
        assert await process.order(call="getpid", arguments=[]), "it died"
        yield process
    finally:
        kill_process(forked.pidfd)
        os.close(forked.pidfd)
        forked.connection.close()


class Bases:
    """A base process for each mode, booted when it is first needed."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._patch = patch
        self.booted: dict[str, BaseProcess] = {}

    async def without(self, mode: str) -> BaseProcess:
        """The base process that leaves out these layers."""
        if mode not in self.booted:
            wasmedge, engine = places()
            self._patch.setattr(base_module, "_START", _START % mode)
            self.booted[mode] = await BaseProcess.boot(wasmedge, engine)
        return self.booted[mode]


_EXECUTOR = """import sys; sys.path.insert(0, sys.argv[1])
from executor.undumpable import make_undumpable
make_undumpable()
print(flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def executor() -> Iterator[int]:
    """Number of a process that keeps others off as an executor does. Traced, the tests themselves would stop."""
    with subprocess.Popen(
        [sys.executable, "-c", _EXECUTOR, str(PROJECT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"\n"
        yield process.pid
        process.kill()


@pytest.fixture(scope="module")
async def bases() -> AsyncIterator[Bases]:
    """Base processes of all modes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WASMFORGE_CANARY", "not for a sandbox")
        owner = Bases(patch)
        yield owner
        for base in owner.booted.values():
            await base.close()


def require(base: BaseProcess, *layers: str) -> None:
    """Skip what can't hold here, saying why."""
    missing = {
        layer: base.confinement.missing.get(layer, "not reported")
        for layer in layers
        if layer not in base.confinement.layers
    }
    if missing:
        pytest.skip(f"not in force on this machine: {missing}")


@pytest.mark.parametrize("mode", MODES)
async def test_the_report_names_every_layer_once(bases: Bases, mode: str) -> None:
    report = (await bases.without(mode)).confinement
    assert sorted((*report.layers, *report.missing)) == sorted(LAYERS)
    assert all(report.missing.values()), "a missing layer without a reason"
    if "seccomp" in mode or mode == "install":
        assert "seccomp" in report.missing
    if mode == "users" and os.geteuid() == 0 and "mount_namespace" in (await bases.without("")).confinement.layers:
        assert report.missing.keys() == {"user_namespace"}, "root needs none for the rest"
    if "namespaces" in mode:
        assert {
            "user_namespace",
            "network_namespace",
            "mount_namespace",
            "pid_namespace",
            "empty_root",
        } <= report.missing.keys()


@pytest.mark.parametrize("mode", ["", "namespaces"])
async def test_the_filter_alone_refuses_every_system_call_that_a_call_does_not_need(bases: Bases, mode: str) -> None:
    base = await bases.without(mode)
    require(base, "seccomp")
    wrong, unknown = {}, []
    async with escaped(base) as process:
        for a_try in ALL:
            answer = await process.tried(a_try)
            if "unknown" in answer:
                unknown.append(a_try.name)
            elif answer.get("refused") != EPERM:
                wrong[a_try.name] = answer or "it died of it"
    assert wrong == {}
    assert len(unknown) < 20, f"libseccomp here knows too few names: {unknown}"


@pytest.mark.parametrize("mode", ["seccomp", "seccomp namespaces", "seccomp users"])
async def test_without_the_filter_the_other_layers_refuse_what_is_theirs(bases: Bases, mode: str) -> None:
    base = await bases.without(mode)
    wrong, tried = {}, 0
    async with escaped(base) as process:
        for a_try in ALL:
            if not set(a_try.layers) & set(base.confinement.layers):
                continue
            tried += 1
            answer = await process.tried(a_try)
            if "unknown" not in answer and answer.get("refused") not in REFUSALS:
                wrong[a_try.name] = answer or "it died of it"
    assert wrong == {}
    assert tried > 20, base.confinement.missing


@pytest.mark.parametrize("mode", MODES)
async def test_no_other_process_can_be_touched(bases: Bases, executor: int, mode: str) -> None:
    base = await bases.without(mode)
    filtered, hidden = ("seccomp" in base.confinement.layers, "pid_namespace" in base.confinement.layers)
    async with escaped(base) as sibling, escaped(base) as process:
        others = {"the executor": executor, "a sibling": sibling.forked.pid, "the base": base._process.pid}
        itself = (await process.order(call="getpid", arguments=[])).get("did")
        # Under their numbers in its own name space; the first is the one that keeps that.
        others |= {f"number {number}": number for number in range(1, 8) if hidden and number != itself}
        for whom, pid in others.items():
            reach = [
                Try("ptrace", (16, pid, None, None)),
                Try("process_vm_readv", (pid, {"iovec": 16}, 1, {"iovec": 16}, 1, 0)),
                Try("process_vm_writev", (pid, {"iovec": 16}, 1, {"iovec": 16}, 1, 0)),
            ]  # fmt: skip
            if filtered or (hidden and "number" not in whom):
                reach += [
                    Try("kill", (pid, 0)),
                    Try("tgkill", (pid, pid, 0)),
                    Try("pidfd_open", (pid, 0)),
                    Try("prlimit64", (pid, 7, None, [16])),
                ]
            for a_try in reach:
                answer = await process.tried(a_try)
                assert answer.get("refused") in REFUSALS, (whom, a_try.name, answer)
        if filtered:
            assert await process.order(call="kill", arguments=[-1, 9]) == {"refused": EPERM}
        assert "alive" in await sibling.order(do="descriptors")


@pytest.mark.parametrize("mode", MODES)
async def test_it_holds_no_descriptor_and_no_environment(bases: Bases, mode: str) -> None:
    async with escaped(await bases.without(mode)) as process:
        # Python sets this one itself when it starts without any.
        assert await process.order(do="environment") in (
            {"found": None, "at the start": []},
            {"found": None, "at the start": ["LC_CTYPE"]},
        )
        alive = await process.order(do="descriptors")
        assert set(alive["alive"]) <= {SERVED, SPARE, PAGEMAP}


async def test_no_listener_of_the_host_can_be_reached(bases: Bases) -> None:
    """By layers other than the filter, which does not even let a socket be made."""
    base = await bases.without("seccomp")
    require(base, "network_namespace")
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(socket.AF_UNIX) as abstract:
        name = b"\0wasmforge-test-%d" % os.getpid()
        abstract.bind(name)
        abstract.listen()
        async with escaped(base) as process:
            address = (
                (2).to_bytes(2, "little") + tcp.getsockname()[1].to_bytes(2, "big") + bytes((127, 0, 0, 1)) + bytes(8)
            )
            # Its descriptors are counted: the socket takes the place of one that is closed for it.
            assert "did" in await process.order(call="close", arguments=[SPARE])
            made = await process.order(call="socket", arguments=[2, 1, 0])
            answer = await process.order(call="connect", arguments=[made["did"], {"bytes": address.hex()}, 16])
            assert "refused" in answer, answer
            await process.order(call="close", arguments=[made["did"]])
            made = await process.order(call="socket", arguments=[1, 1, 0])
            path = (1).to_bytes(2, "little") + name
            answer = await process.order(call="connect", arguments=[made["did"], {"bytes": path.hex()}, len(path)])
            assert "refused" in answer, answer


async def test_memory_of_every_kind_is_bounded(bases: Bases) -> None:
    base = await bases.without("")
    private, shared, anonymous = 0x02, 0x01, 0x20
    async with escaped(base) as process:
        taken = await process.order(do="take", protection=3, flags=private | anonymous)
        assert 0 < taken["taken"] <= _ROOM_MIB, taken
    async with escaped(base) as process:
        taken = await process.order(do="take", protection=1, flags=private | anonymous)
        assert 0 < taken["taken"] <= _ROOM_MIB + 64, taken
    async with escaped(base) as process:
        filled = await process.order(do="fill", file=SPARE)
        assert 0 < filled["taken"] <= MEMORY_BYTES // MIB, filled
        require(base, "seccomp")
        taken = await process.order(do="take", protection=3, flags=shared | anonymous)
        assert taken["taken"] == 0, taken


async def test_the_snapshot_of_the_others_can_t_be_written(bases: Bases) -> None:
    base = await bases.without("")
    async with escaped(base) as before:
        was = await before.order(do="look")
        async with escaped(base) as process:
            await process.order(do="shared")
        assert await before.order(do="look") == was
    async with escaped(base) as after:
        assert await after.order(do="look") == was


async def test_numbers_of_other_architectures_are_no_way_round(bases: Bases) -> None:
    base = await bases.without("")
    require(base, "seccomp")
    if os.uname().machine != "x86_64":
        pytest.skip("x32 is of x86-64 only")
    async with escaped(base) as process:
        # getpid of x32: libseccomp's filter ends the process for it.
        answer = await process.order(call=0x40000000 + 39, arguments=[])
        assert answer == {} or answer.get("refused") == EPERM


def _of_process(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text()
    except PermissionError:
        pytest.skip(f"/proc/{pid}/{name} may only be read by root here")


async def test_what_the_kernel_says_of_it(bases: Bases) -> None:
    base = await bases.without("")
    async with escaped(base) as process:
        await process.order(do="environment")
        status = dict(
            line.split(":\t", 1) for line in _of_process(process.forked.pid, "status").splitlines() if ":\t" in line
        )
        scores = [int(_of_process(pid, "oom_score_adj")) for pid in (process.forked.pid, base._process.pid)]
    layers = base.confinement.layers
    assert status["NoNewPrivs"] == "1"
    assert status["Threads"] == "1"
    if "seccomp" in layers:
        assert status["Seccomp"] == "2"
    if "no_capabilities" in layers:
        assert {status[f"Cap{kind}"].strip("0") for kind in ("Inh", "Prm", "Eff", "Amb")} == {""}
    assert scores == [1000, 500]
    if "unprivileged" in layers:
        assert "0" not in status["Uid"].split()
    if "pid_namespace" in layers:
        assert len(status["NSpid"].split()) > 1


async def test_no_memory_is_code_that_can_be_written_nor_shared(bases: Bases) -> None:
    base = await bases.without("")
    async with escaped(base) as process:
        where = await process.order(do="address")
        maps = _of_process(process.forked.pid, "maps").splitlines()
    kinds = [line.split()[1] for line in maps]
    assert [kind for kind in kinds if "w" in kind and "x" in kind] == []
    assert [line for line in maps if line.split()[1].endswith("s") and "w" in line.split()[1]] == []
    # Compiled WebAssembly checks no bounds: it relies on 8 GiB behind its memory and 4 GiB before it being nobody's.
    address, size = where["address"], where["pages"] * 65536
    reserved = 0
    for line in maps:
        start, end = (int(number, 16) for number in line.split()[0].split("-"))
        low, high = max(start, address - (4 << 30)), min(end, address + (8 << 30))
        if low >= high or (start >= address and end <= address + size):
            continue
        assert line.split()[1] == "---p", f"{line} is in reach of the guest at {address:x}"
        reserved += high - low
    assert reserved == (12 << 30) - size
