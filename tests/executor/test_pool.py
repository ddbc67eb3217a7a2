"""The pool: processes are used again, never beyond the slots, replaced when they die, and all gone in the end."""

import asyncio
import gc
import os
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from executor.backend import BaseFailed
from executor.base import BaseProcess, Forked, kill_process
from executor.pool import Pool
from schemas.limits import MIB
from schemas.names import DRAFT
from tests.executor import processes
from tests.executor.conftest import Engine
from tests.executor.sandboxed import Bus, Ran, Runner, revision

SLOTS = 2
ASK = "from platform_sdk import *\nsend_output(call_ai('m', 'p'))"
HELLO = b'{"model": "m", "response": "hello", "answered_by": "m"}'


class Gate:
    """A broker that answers when the test opens it; who asks is running."""

    def __init__(self) -> None:
        self.bus = Bus(self._answer)
        self.waiting = 0
        self.opened = asyncio.Event()
        self._changed = asyncio.Condition()

    async def _answer(self, subject: str, body: bytes) -> bytes:
        async with self._changed:
            self.waiting += 1
            self._changed.notify_all()
        try:
            await self.opened.wait()
        finally:
            self.waiting -= 1
        return HELLO

    async def until_waiting(self, count: int) -> None:
        """Wait until that many calls wait for their answer."""
        async with asyncio.timeout(20), self._changed:
            await self._changed.wait_for(lambda: self.waiting >= count)


@pytest.fixture(scope="module")
async def small(engine: Engine) -> AsyncIterator[Pool]:
    """A pool of two slots that the tests of this module may do things to."""
    pool = Pool(engine.wasmedge, engine.best)
    await pool.use_engine(engine.best)
    yield pool
    await pool.close()


@pytest.fixture
def run(small: Pool) -> Runner:
    """Runs plugins in it."""
    return Runner(small, SLOTS)


def _start(run: Runner, gate: Gate, **limits: int) -> asyncio.Task[Ran]:
    return asyncio.create_task(run(ASK, bus=gate.bus, **limits))


async def test_no_more_calls_run_than_there_are_slots(run: Runner) -> None:
    gate = Gate()
    calls = [_start(run, gate) for _ in range(5)]
    await gate.until_waiting(SLOTS)
    for _ in range(100):
        await asyncio.sleep(0)
    assert gate.waiting == SLOTS
    gate.opened.set()
    done = await asyncio.gather(*calls)
    assert [ran.text for ran in done] == ["hello"] * 5
    assert len({ran.pid for ran in done}) == SLOTS


async def test_a_process_is_used_again(run: Runner) -> None:
    assert len({(await run("x = 1")).pid for _ in range(5)}) == 1


async def test_a_call_that_nobody_waits_for_any_more_is_ended_and_its_slot_is_free(run: Runner) -> None:
    gate = Gate()
    calls = [_start(run, gate) for _ in range(SLOTS + 2)]
    await gate.until_waiting(SLOTS)
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    assert all(call.cancelled() for call in calls)
    async with asyncio.timeout(5):
        while gate.waiting:  # noqa: ASYNC110
            await asyncio.sleep(0)
    gate = Gate()
    calls = [_start(run, gate) for _ in range(SLOTS)]
    await gate.until_waiting(SLOTS)
    gate.opened.set()
    assert [ran.text for ran in await asyncio.gather(*calls)] == ["hello"] * SLOTS


async def test_a_base_that_is_killed_fails_what_runs_as_ours_and_the_next_call_works(run: Runner) -> None:
    base = processes.parent((await run("x = 1")).pid)
    gate = Gate()
    calls = [_start(run, gate) for _ in range(SLOTS)]
    await gate.until_waiting(SLOTS)
    os.kill(base, signal.SIGKILL)
    for ran in await asyncio.gather(*calls):
        assert ran.error_type == "runtime_error", ran.error
        assert "died with the process it came from" in ran.error
        assert not ran.fit
    after = await run("print('next')")
    assert after.text == "next\n"
    assert processes.parent(after.pid) != base
    await processes.until_gone(base)


async def test_a_base_that_is_killed_while_nothing_runs_is_not_noticed_by_anybody(run: Runner) -> None:
    first = await run("x = 1")
    base = processes.parent(first.pid)
    os.kill(base, signal.SIGKILL)
    await processes.until_gone(first.pid, base)
    assert (await run("print('next')")).text == "next\n"


async def test_a_sandbox_that_is_killed_while_idle_is_replaced(run: Runner) -> None:
    first = await run("x = 1")
    os.kill(first.pid, signal.SIGKILL)
    await processes.until_gone(first.pid)
    second = await run("print('next')")
    assert second.text == "next\n"
    assert second.pid != first.pid
    assert processes.parent(second.pid)


async def test_a_sandbox_that_is_killed_while_it_runs_fails_its_call_alone(run: Runner) -> None:
    gate = Gate()
    calls = [_start(run, gate) for _ in range(2)]
    await gate.until_waiting(2)
    leased = run.pool._leased
    victim = max(sandbox.pid for sandbox in leased)
    os.kill(victim, signal.SIGKILL)
    (failed,), (other,) = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED, timeout=20)
    gate.opened.set()
    assert failed.result().error_type == "runtime_error"
    assert "killed from outside" in failed.result().error
    assert failed.result().pid == victim
    assert (await other).text == "hello"


async def test_every_limit_of_memory_comes_from_one_base(run: Runner) -> None:
    usual = await run("x = 1")
    larger = await run("x = 1", memory_bytes=200 * MIB)
    assert usual.pid != larger.pid
    assert processes.parent(usual.pid) == processes.parent(larger.pid)
    assert (await run("x = 1")).pid == usual.pid


@pytest.fixture
def two_engines(engine: Engine, tmp_path: Path) -> tuple[Path, Path]:
    """The same engine under two names: as good as two engines."""
    paths = tmp_path / "first.so", tmp_path / "second.so"
    for path in paths:
        path.symlink_to(engine.best)
    return paths


async def test_moving_to_another_engine_loses_no_call(run: Runner, two_engines: tuple[Path, Path]) -> None:
    first, second = two_engines
    await run.pool.use_engine(first)
    before = await run("x = 1")
    old_base = processes.parent(before.pid)
    gate = Gate()
    running = _start(run, gate)
    await gate.until_waiting(1)
    await run.pool.use_engine(second)
    assert run.pool.engine == second
    after = await run("print('on the new one')")
    assert after.text == "on the new one\n"
    assert processes.parent(after.pid) != old_base
    await run.pool.tidy()
    assert processes.alive(old_base), "a call still runs from it"
    gate.opened.set()
    finished = await running
    assert finished.text == "hello"
    assert processes.parent(after.pid) != old_base
    await run.pool.tidy()
    await processes.until_gone(old_base, finished.pid)
    assert (await run("print('on the new one')")).pid == after.pid


async def test_an_engine_that_does_not_boot_changes_nothing(run: Runner, tmp_path: Path) -> None:
    before = await run("x = 1")
    engine = run.pool.engine
    broken = tmp_path / "broken.so"
    broken.write_bytes(b"\x7fELF not really")
    for path in (broken, tmp_path / "missing.so"):
        with pytest.raises(BaseFailed, match="the sandbox did not boot: WasmEdgeError: WasmEdge: load failed"):
            await run.pool.use_engine(path)
        assert run.pool.engine == engine
        assert (await run("x = 1")).pid == before.pid


async def test_a_folder_without_wasmedge_is_no_engine_either(engine: Engine, tmp_path: Path) -> None:
    pool = Pool(tmp_path, engine.best)
    with pytest.raises(BaseFailed, match="can't be started: no WasmEdge in"):
        await pool.use_engine(engine.best)
    await pool.close()


async def test_a_boot_is_finished_though_the_call_that_began_it_has_no_time_for_it(run: Runner) -> None:
    before = await run("x = 1")
    base = processes.parent(before.pid)
    os.kill(base, signal.SIGKILL)
    await processes.until_gone(base, before.pid)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await run("print('booted')")
    # Nobody waits for it now: it comes to its end by itself, and the next call finds it.
    boot = run.pool._bases._booting
    assert boot is not None
    booted = await asyncio.wait_for(asyncio.shield(boot), 60)
    found = await run("print('booted')")
    assert found.text == "booted\n"
    assert run.pool._bases._current is booted


async def test_a_fork_that_nobody_waits_for_any_more_does_not_confuse_the_next(run: Runner) -> None:
    gate = Gate()
    holding = _start(run, gate)
    await gate.until_waiting(1)
    base = next(iter(run.pool._leased)).base
    for turns in range(40):
        forking = asyncio.create_task(base.fork(64 * MIB))
        for _ in range(turns):
            await asyncio.sleep(0)
        forking.cancel()
        await asyncio.gather(forking, return_exceptions=True)
        if not forking.cancelled():
            _end(forking.result())
        forked = await base.fork(64 * MIB)
        assert Path(f"/proc/self/fdinfo/{forked.pidfd}").read_text().split("Pid:")[1].split()[0] == str(forked.pid)
        assert processes.alive(forked.pid)
        forked.connection.shutdown(socket.SHUT_RDWR)
        await processes.until_gone(forked.pid)
        forked.connection.close()
        os.close(forked.pidfd)
    gate.opened.set()
    held = await holding
    assert held.text == "hello"
    # Beside it, when the spare one has ended, only the first process of the name space, which is not the base's to end.
    assert isinstance(base, BaseProcess)
    await base._spare.close()
    known = {sandbox.pid for sandbox in (*run.pool._leased, *run.pool._idle)}
    assert held.pid in known
    async with asyncio.timeout(20):
        while len(processes.children(processes.parent(held.pid)) - known) > (  # noqa: ASYNC110
            "pid_namespace" in base.confinement.layers
        ):
            await asyncio.sleep(0)


def _end(forked: Forked) -> None:
    forked.connection.close()
    kill_process(forked.pidfd)
    os.close(forked.pidfd)


async def test_the_first_call_of_a_plugin_finds_a_process_that_waits(small: Pool, run: Runner) -> None:
    await run("x = 'some plugin'")
    base = small._bases._current
    assert isinstance(base, BaseProcess)
    async with asyncio.timeout(20):
        while base._spare._kept is None:  # noqa: ASYNC110
            await asyncio.sleep(0)
    waiting = base._spare._kept.pid
    first = await run("import sys\nprint('email' in sys.modules, __name__, input())", "a line")
    assert (first.pid, first.text) == (waiting, "True __main__ a line\n")
    # Of another limit there is none, and a dead one is no use to anybody.
    assert (await run("x = 1", memory_bytes=64 * MIB)).pid != waiting
    async with asyncio.timeout(20):
        while base._spare._kept is None:  # noqa: ASYNC110
            await asyncio.sleep(0)
    dead = base._spare._kept.pid
    os.kill(dead, signal.SIGKILL)
    await processes.until_gone(dead)
    assert (await run("print('another plugin')")).text == "another plugin\n"


async def test_a_process_that_does_not_warm_up_is_nobodys(
    small: Pool, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    await run("x = 'some plugin'")
    base = small._bases._current
    assert isinstance(base, BaseProcess)
    fork = base._fork

    async def broken(memory_bytes: int) -> Forked:
        forked = await fork(memory_bytes)
        forked.connection.send(b"\0\0\0\0\xff")  # whoever reads this ends
        return forked

    async with asyncio.timeout(20):
        while base._spare._kept is None:  # noqa: ASYNC110
            await asyncio.sleep(0)
    monkeypatch.setattr(base, "_fork", broken)
    taken = base._spare.take()
    assert taken is not None
    _end(taken)
    assert base._spare._making is not None
    await asyncio.wait((base._spare._making,), timeout=20)
    assert base._spare._kept is None
    monkeypatch.undo()
    assert (await run("print('another new plugin')")).text == "another new plugin\n"


async def test_drafts_do_not_push_out_what_is_prepared(
    small: Pool, run: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("executor.pool.MAX_IDLE", 2)
    plugin = (await run("x = 'deployed'")).pid
    drafts = [await run.plugin(revision(f"print({n})", DRAFT)) for n in range(4)]
    assert [ran.text for ran in drafts] == ["0\n", "1\n", "2\n", "3\n"]
    assert (await run("x = 'deployed'")).pid == plugin
    # Where there is room, one is there for the next try.
    monkeypatch.undo()
    again = await run.plugin(revision("print(3)", DRAFT))
    assert again.pid == (await run.plugin(revision("print(3)", DRAFT))).pid


async def test_nothing_is_left_behind_after_the_end(engine: Engine) -> None:
    gc.collect()
    before = processes.descriptors(), processes.children(os.getpid())
    pool = Pool(engine.wasmedge, engine.best)
    run = Runner(pool, slots=3)
    gate = Gate()
    calls = [_start(run, gate), _start(run, gate), _start(run, gate, memory_bytes=64 * MIB)]
    await gate.until_waiting(3)
    pids = set()
    for base in processes.children(os.getpid()) - before[1]:
        pids |= {base, *processes.children(base)}
    # A base, three sandboxes; where there are PID name spaces, also the first process of one.
    assert len(pids) >= 1 + 3
    await pool.close()
    for ran in await asyncio.gather(*calls):
        assert ran.error_type
    await processes.until_gone(*pids)
    del pool, run, calls
    gc.collect()
    await asyncio.sleep(0)
    # Others in this process may have something open for a moment, and end what they had; what is left behind stays.
    for _ in range(50):
        left = processes.descriptors() - before[0], processes.children(os.getpid()) - before[1]
        if not any(left):
            break
        await asyncio.sleep(0.1)
    assert left == (set(), set())
