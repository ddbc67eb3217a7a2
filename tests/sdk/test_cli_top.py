"""``wasmforge top``: the page, and the screen it is shown on. The server is scripted."""

import asyncio
import json
import os
import pty
import signal

import msgspec

from schemas.ai import BudgetState, Counters
from schemas.http import Usage
from sdk.cli.top import page
from tests.sdk.command import command, environment, wasmforge
from tests.sdk.scripted import answer_json, scripted


def usage(**changed: object) -> Usage:
    """What two brokers counted."""
    tiny = Counters("tiny:latest", 10, {"busy": 3}, 1, 500, 600, 20_000, 6_000_000, 2, 3)
    given = Usage(
        brokers=2,
        since="2026-01-02T03:04:05.678Z",
        models=[tiny],
        plugins=[msgspec.structs.replace(tiny, key="summarize"), Counters("quiet", 5)],
        callers=[msgspec.structs.replace(tiny, key="a\x1b[31mb"), Counters("")],
        budgets=[BudgetState("plugin", "summarize", "output_tokens", "day", 750, 1_000, 7_300_000)],
    )
    return msgspec.structs.replace(given, **changed)


def test_the_page_shows_what_was_counted() -> None:
    assert page(usage())[:4] == [
        "2 brokers: 2 running, 3 waiting, 10 requests since 2026-01-02 03:04:05 UTC",
        "",
        "MODEL        RUN  WAIT  REQ/S  REQUESTS  CACHED  QUEUE MS  ANSWER MS  TOKENS IN  OUT  TOKENS/S  REFUSED",
        "tiny:latest    2     3               10       1       2.0    1,000.0        500  600       100  busy 3",
    ]
    assert page(usage())[-2:] == [
        "BUDGET                           USED  LIMIT    A  FREE IN",
        "plugin summarize: output tokens   750  1,000  day      2 h  ███████████████·····",
    ]


def test_rates_are_of_the_last_moment() -> None:
    now = usage()
    earlier = [
        msgspec.structs.replace(now.models[0], requests=6, cached=0, output_tokens=300, queue_us=0, generation_us=10**6)
    ]
    line = page(now, usage(models=earlier), 2.0)[3]
    assert line.split()[:11] == ["tiny:latest", "2", "3", "2.0", "10", "1", "5.0", "1,666.7", "500", "600", "60"]


def test_counts_that_shrank_are_of_brokers_that_began_anew() -> None:
    earlier = [Counters("tiny:latest", 1_000, {}, output_tokens=10**6)]
    assert page(usage(), usage(models=earlier), 1.0)[3].split()[3:5] == ["0.0", "10"]


def test_names_cannot_steer_the_terminal() -> None:
    assert not any("\x1b" in line for line in page(usage()))
    assert any(line.startswith("(none)") for line in page(usage()))


def test_nothing_counted_is_one_line() -> None:
    nothing = Usage(brokers=0, since="", models=[], plugins=[], callers=[], budgets=[])
    assert page(nothing) == ["0 brokers: 0 running, 0 waiting, 0 requests"]


async def test_once_and_into_a_pipe_it_is_printed_once() -> None:
    async with scripted(answer_json("200 OK", usage())) as server:
        for arguments in (["top", "--once"], ["top"]):
            ran = await wasmforge(server.url, *arguments)
            assert (ran.code, ran.err) == (0, "")
            assert ran.out.decode().splitlines() == page(usage())
        ran = await wasmforge(server.url, "top", "--json")
        assert msgspec.convert(json.loads(ran.out), Usage) == usage()
    assert server.requests[0].line == "GET /api/ai/usage HTTP/1.1"


async def test_without_a_platform_it_says_so() -> None:
    ran = await wasmforge("127.0.0.1:1", "top", "--once")
    assert ran.code == 3
    assert "no WasmForge answers" in ran.err


async def test_on_a_terminal_it_goes_on_until_ctrl_c_and_leaves_the_screen_as_it_was() -> None:
    ours, theirs = pty.openpty()
    loop = asyncio.get_running_loop()
    async with scripted(answer_json("200 OK", usage()), answer_json("200 OK", usage(brokers=7))) as server:
        process = await asyncio.create_subprocess_exec(
            *command(server.url, ["top"]), stdout=theirs, env=environment() | {"COLUMNS": "100", "LINES": "20"}
        )
        os.close(theirs)
        seen = b""
        async with asyncio.timeout(30):
            while b"7 brokers" not in seen:
                seen += await loop.run_in_executor(None, os.read, ours, 65536)
        process.send_signal(signal.SIGINT)
        assert await process.wait() == 0
        seen += await loop.run_in_executor(None, os.read, ours, 65536)
    os.close(ours)
    assert seen.startswith(b"\x1b[?1049h")
    assert seen.endswith(b"\x1b[?1049l")
    assert b"2 brokers" in seen
    widest = max(len(line) for line in seen.decode().replace("\x1b[K", "").replace("\x1b[H", "\r\n").split("\r\n"))
    assert widest <= 100 + len("\x1b[1m\x1b[0m")
