"""Every limit ends a call where it says, with the error type that names it, and no later call feels it."""

import asyncio
import json
import os

import pytest

from executor.sandbox.frames import PAGE_BYTES
from schemas.errors import AIErrorCode, AIFailure
from schemas.limits import MIB
from tests.executor.sandboxed import Bus, Ran, Runner

MOST_KILL_SECONDS = 1.0
"""How long after its deadline a call may answer and its process be gone, on a machine that is busy with tests."""


async def _gone(pid: int) -> None:
    """Wait until a process is gone, its zombie too."""
    while os.path.exists(f"/proc/{pid}"):  # noqa: ASYNC110
        await asyncio.sleep(0.001)


@pytest.mark.parametrize(
    "source",
    [
        "while True: pass",
        "import time; time.sleep(3600)",
        "import time\nwhile True:\n    try: time.sleep(3600)\n    except BaseException: pass",
        "sum(range(10**12))",
        "import re; re.match('(a+)+b', 'a' * 100)",
        "10 ** 10 ** 10",
        "while True: print('x' * 1000)",
        "import asyncio; asyncio.run(asyncio.sleep(3600))",
    ],
    ids=["loop", "sleep", "stubborn", "c loop", "regex", "power", "printing", "asyncio"],
)
async def test_time_is_up_when_it_is_up_whatever_the_plugin_does(run: Runner, source: str) -> None:
    ran = await run(source, timeout_ms=150)
    assert (ran.error_type, ran.error, ran.fit) == ("timeout", "the time is up", False)
    assert 0.15 <= ran.seconds < 0.15 + MOST_KILL_SECONDS
    async with asyncio.timeout(MOST_KILL_SECONDS):
        await _gone(ran.pid)


async def test_what_a_plugin_said_before_it_was_ended_is_in_the_log(run: Runner) -> None:
    ran = await run("print('one')\nprint('two')\nwhile True: pass", timeout_ms=300)
    assert ran.error_type == "timeout"
    assert ran.log == "one\ntwo\n"


@pytest.mark.parametrize(
    "source",
    [
        "x = 'a'\nwhile True: x += x",
        "x = []\nwhile True: x.append(bytearray(1_000_000))",
        "bytearray(10**9)",
        "[0] * 10**9",
    ],
    ids=["string", "bytearrays", "at once", "list"],
)
async def test_memory_ends_at_its_limit(run: Runner, source: str) -> None:
    ran = await run(source)
    assert ran.error_type == "out_of_memory"
    assert ran.outcome.peak_memory_bytes <= 128 * MIB
    assert (await run("print('next')")).text == "next\n"


async def test_a_plugin_may_live_with_having_no_more_memory(run: Runner) -> None:
    ran = await run("try: bytearray(10**9)\nexcept MemoryError: print('caught')")
    assert ran.text == "caught\n"


async def test_the_limit_of_memory_is_the_plugins_own(run: Runner) -> None:
    source = "print(len(bytearray(150 * 1024 * 1024)))"
    assert (await run(source)).error_type == "out_of_memory"
    assert (await run(source, memory_bytes=256 * MIB)).text == "157286400\n"
    assert (await run("bytearray(60 * 1024 * 1024)", memory_bytes=64 * MIB)).error_type == "out_of_memory"


@pytest.mark.parametrize("limit", [64 * MIB, 100 * MIB, 100 * MIB + PAGE_BYTES, 100 * MIB + 2 * PAGE_BYTES - 1])
async def test_memory_ends_at_its_limit_to_the_page(run: Runner, limit: int) -> None:
    # Small pieces, so that what does not fit any more is as small as memory can grow by.
    ran = await run("kept = []\nwhile True: kept.append(bytearray(1000))", memory_bytes=limit)
    assert ran.error_type == "out_of_memory", ran.error
    assert ran.outcome.peak_memory_bytes == limit // PAGE_BYTES * PAGE_BYTES


@pytest.mark.parametrize(
    ("statements", "fits"),
    [
        ("send_output('abcde')", True),
        ("send_output('abcdef')", False),
        ("send_output('ab'); send_output('cd')", True),
        ("send_output('ab'); send_output('cde')", False),
        ("send_output('éé')", True),
        ("send_output('ééé')", False),
        ("print('abcd')", True),
        ("print('abcde')", False),
        ("while True: send_output('')", False),
        ("send_output(b'x' * 10_000_000)", False),
    ],
)
async def test_output_ends_at_its_limit_to_the_byte(run: Runner, statements: str, fits: bool) -> None:
    ran = await run(f"from platform_sdk import *\n{statements}", output_bytes=5)
    if fits:
        assert len(ran.output) <= 5
    else:
        assert ran.error_type == "output_too_large"
        assert ran.error == "the plugin's output is over its limit of 5 bytes"
    assert sum(map(len, ran.pieces)) <= 5


async def test_megabytes_of_log_are_cut_and_said_so_while_the_call_goes_well(run: Runner) -> None:
    ran = await run(
        "from platform_sdk import *\nfor _ in range(300): print('x' * 9_999)\nsend_output('fine')", log_bytes=100_000
    )
    assert ran.output == b"fine"
    assert ran.outcome.log.startswith(b"x" * 9_999 + b"\n")
    assert b"more bytes were printed, over the limit of the log" in ran.outcome.log
    assert 100_000 < len(ran.outcome.log) < 100_200
    assert sum(map(len, ran.log_pieces)) == 100_000
    ran = await run("from platform_sdk import *\nprint('secret')\nsend_output('fine')", log_bytes=0)
    assert ran.output == b"fine"
    assert "secret" not in ran.log


async def test_printing_without_end_does_not_end_well(run: Runner) -> None:
    ran = await run("for _ in range(300): print('x' * 9_999)")
    assert ran.error_type == "output_too_large"


ASK_THREE_TIMES = """
from platform_sdk import *
codes = []
for _ in range(3):
    try:
        codes.append(call_ai("m", "p"))
    except AIError as error:
        codes.append(error.code)
send_output(codes)
"""


async def _says_hello(subject: str, body: bytes) -> bytes:
    return json.dumps({"model": "m", "response": "hello", "answered_by": "m"}).encode()


async def _fails(subject: str, body: bytes) -> bytes:
    raise AIFailure("too late", AIErrorCode.TIMEOUT)


@pytest.mark.parametrize("limit", [0, 1, 2, 3])
async def test_ai_calls_end_at_their_limit(run: Runner, limit: int) -> None:
    bus = Bus(_says_hello)
    ran = await run(ASK_THREE_TIMES, bus=bus, ai_calls=limit)
    assert ran.value == ["hello"] * limit + ["too_many_calls"] * (3 - limit)
    assert len(bus.asked) == limit
    assert ran.outcome.ai_calls == limit


async def test_ai_calls_that_fail_count_too(run: Runner) -> None:
    ran = await run(ASK_THREE_TIMES, bus=Bus(_fails), ai_calls=2)
    assert ran.value == ["timeout", "timeout", "too_many_calls"]


async def test_time_spent_waiting_for_a_model_is_told_apart(run: Runner) -> None:
    async def slowly(subject: str, body: bytes) -> bytes:
        await asyncio.sleep(0.05)
        return await _says_hello(subject, body)

    ran = await run(ASK_THREE_TIMES, bus=Bus(slowly))
    assert ran.value == ["hello"] * 3
    assert ran.outcome.run_us >= ran.outcome.ai_wait_us >= 150_000


async def test_a_model_that_never_answers_does_not_outlast_the_deadline(run: Runner) -> None:
    asked = asyncio.Event()
    ended = asyncio.Event()

    async def never(subject: str, body: bytes) -> bytes:
        asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        raise AssertionError

    ran: Ran = await run(ASK_THREE_TIMES, bus=Bus(never), timeout_ms=200)
    assert ran.error_type == "timeout"
    assert asked.is_set()
    async with asyncio.timeout(1):
        await ended.wait()


async def test_usage_is_reported(run: Runner) -> None:
    ran = await run("sum(range(300_000))\nprint(len(bytearray(40 * 1024 * 1024)))")
    assert ran.output == b"41943040\n"
    assert 0 < ran.outcome.cpu_us <= ran.outcome.run_us * 1.2 + 10_000
    assert 40 * MIB < ran.outcome.peak_memory_bytes <= 128 * MIB
