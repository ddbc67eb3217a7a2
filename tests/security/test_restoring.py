"""When a process takes another call, and when it is retired: each rule of docs/sandbox.md."""

import json
import os
import time
from pathlib import Path

import pytest

from executor import pool as pool_module
from executor.sandbox.frames import PAGE_BYTES
from schemas.limits import MIB
from schemas.messages import PluginRevision
from tests.security.attacks.attack import PREAMBLE
from tests.security.running import Runner, revision

BUSY_SECONDS = 1.0
"""How soon after its deadline a process must be gone if the machine has other things to do; measured else: 15 ms."""


def steps(source: str, name: str, **limits: int) -> PluginRevision:
    """A plugin that does what it is told in ``what`` and else says that it is well."""
    head = "import os, sys, json\nfrom platform_sdk import get_input, send_output, call_ai\nwhat = get_input()\n"
    return revision(head + source + "\nsend_output('well')", name=name, **limits)


PLUGIN = steps(
    """
if what == "trap": os.abort()
if what == "exit": os._exit(0)
if what == "exit with 3": os._exit(3)
if what == "raise": 1 / 0
if what == "grow": x = bytearray(60 << 20)
if what == "too much": x = bytearray(1 << 30)
if what == "write": x = [bytes(4096) for _ in range(3000)]
if what == "unread": os.write(0, b'\\x11{"operation": "models"}')
if what == "half": os.write(0, b'\\x11{"operation": "models"}'); os.read(0, 6)
if what == "read": call_ai("m", "p")
if what == "loop":
    while True: pass
if what == "flood": send_output("x" * (2 << 20))
""",
    "restoring",
)


@pytest.mark.parametrize("what", ["nothing", "raise", "too much", "write", "half", "read"])
async def test_after_an_ordinary_end_the_process_takes_the_next_call(run: Runner, what: str) -> None:
    ran = await run(PLUGIN, what.encode())
    assert ran.fit, ran.error
    again = await run(PLUGIN)
    assert (again.pid, again.output) == (ran.pid, "well")


@pytest.mark.parametrize(
    ("what", "why"),
    [
        ("trap", "WasmEdge unwound the call with the stack of the guest and its locks as they were"),
        ("exit", "the interpreter was left in the middle of a call"),
        ("exit with 3", "the same"),
        ("grow", "linear memory can't shrink"),
        ("unread", "the next call would take the reply for its own"),
        ("loop", "it is killed at its deadline"),
        ("flood", "it is killed at its limit"),
    ],
)
async def test_after_any_other_the_process_is_retired(run: Runner, what: str, why: str) -> None:
    ran = await run(PLUGIN, what.encode(), timeout_ms=500)
    assert not ran.fit, why
    again = await run(PLUGIN)
    assert again.pid != ran.pid
    assert again.output == "well"


async def test_a_refused_growth_is_no_growth(run: Runner) -> None:
    plugin = steps("x = None\ntry: x = bytearray(1 << 30)\nexcept MemoryError: pass", "refused growth")
    first, second = await run(plugin), await run(plugin)
    assert first.pid == second.pid
    assert first.outcome.peak_memory_bytes == second.outcome.peak_memory_bytes


async def test_a_preparation_that_grows_memory_is_kept(run: Runner) -> None:
    """The second snapshot may be larger than the first."""
    table = ", ".join(str(n) for n in range(10**6, 10**6 + 60_000))
    plugin = revision(PREAMBLE + f"x = [{table}]\nplatform_sdk.send_output(sum(x) % 1000)", name="large")
    results = [await run(plugin) for _ in range(3)]
    assert {ran.output for ran in results} == {str(sum(range(10**6, 10**6 + 60_000)) % 1000)}
    assert len({ran.pid for ran in results if ran.fit}) == 1
    assert results[0].outcome.peak_memory_bytes % PAGE_BYTES == 0


async def test_a_process_is_gone_when_its_time_is_up(run: Runner) -> None:
    plugin, late = revision("while True: pass", name="looping"), []
    for _ in range(4):
        ran = await run(plugin, timeout_ms=200)
        assert ran.error_type == "timeout"
        gone = time.monotonic() + BUSY_SECONDS
        while Path(f"/proc/{ran.pid}").exists():
            assert time.monotonic() < gone, "it runs on"
        late.append(ran.seconds - 0.2 + time.monotonic() - gone + BUSY_SECONDS)
    # The preparation and the fork are in there too.
    assert min(late) < BUSY_SECONDS, late


async def test_a_process_is_replaced_after_so_many_calls(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "MAX_CALLS", 4)
    plugin = steps("", "counted")
    pids = [(await run(plugin)).pid for _ in range(6)]
    # The preparation counts too.
    assert len(set(pids[:3])) == 1
    assert len(set(pids[3:])) == 1
    assert pids[0] != pids[3]


LEAKING = revision(
    PREAMBLE
    + """
platform_sdk.send_output(fingerprint(b""))
platform_sdk.send_output(random.getrandbits(128))
import builtins, re, types, warnings
builtins.left = json.dumps = random.seed = os.read = print
sys.modules["left"] = types.ModuleType("left")
gc.disable(); gc.callbacks.append(print); gc.garbage.append(1)
sys.setrecursionlimit(5000); sys.path.append("left"); warnings.simplefilter("error")
[re.compile("a" * n) for n in range(1, 20)]
for number in range(1, 12):
    try: os.close(number)
    except OSError: pass
left = [bytes(1000) for _ in range(500)]
""",
    name="leaking",
)
"""Says what it finds and then leaves as much as it can; the descriptors last, since nothing can be printed after."""


async def leaks(run: Runner, calls: int) -> None:
    first = (await run(LEAKING)).output.rpartition("\n")
    drawn, pids = {first[2]}, set()
    for _ in range(calls - 1):
        ran = await run(LEAKING)
        assert ran.error_type == "", ran.error
        found, _, number = ran.output.rpartition("\n")
        if found != first[0]:
            before, after = json.loads(first[0]), json.loads(found)
            raise AssertionError({key: (before[key], after[key]) for key in before if before[key] != after[key]})
        drawn.add(number)
        pids.add(ran.pid)
    assert len(drawn) == calls
    assert len(pids) == 1 + calls // pool_module.MAX_CALLS


async def test_nothing_leaks_from_call_to_call(run: Runner) -> None:
    await leaks(run, 200)


@pytest.mark.long
@pytest.mark.timeout(900)
async def test_nothing_leaks_in_ten_thousand_calls(run: Runner) -> None:
    await leaks(run, 10_000)


async def test_a_process_that_serves_many_calls_does_not_grow(run: Runner) -> None:
    """Of the host's side: what restoring can't reach."""
    plugin = steps("try: call_ai('m', 'p')\nexcept Exception: pass\nprint('x' * 1000)", "growing")

    def native_kib(pid: int) -> int:
        status = Path(f"/proc/{pid}/status").read_text()
        return int(status.partition("VmData:")[2].split()[0])

    for _ in range(50):
        ran = await run(plugin, os.urandom(2000))
    before = native_kib(ran.pid)
    for _ in range(300):
        await run(plugin, os.urandom(2000))
    assert native_kib(ran.pid) - before < MIB // 1024
