"""What a call costs inside one executor: the first of a plugin and the n-th, time and CPU, one and many at once."""

import asyncio
import time
from collections.abc import Sequence

from bench.in_executor import Called, Inside
from bench.processes import cpu_by_process
from bench.sandbox.figures import Figure, of_latencies
from executor.pool import Pool

TRIVIAL = "from platform_sdk import get_input, send_output\nsend_output(get_input().upper())\n"
HEAVY = "import json, re, decimal, dataclasses, email, sqlite3\n" + TRIVIAL
DATA, EXPECTED = b"bench", b"BENCH"
_PAUSE_SECONDS = 0.002
_REST_SECONDS = 0.05
_AT_ONCE = 8


async def figures(pool: Pool, own_pid: int, seconds: float, firsts: int) -> list[Figure]:
    """Everything that takes no NATS.

    Args:
        seconds: length of each series of calls.
        firsts: how many plugins are called for the first time.
    """
    trivial, heavy = Inside(pool, TRIVIAL), Inside(pool, HEAVY, "heavy")
    for inside in (trivial, heavy):
        await _series(inside, seconds / 10)
    # In turns, so that noise hits both alike.
    found: dict[Inside, list[Called]] = {trivial: [], heavy: []}
    for _ in range(5):
        for inside in (trivial, heavy):
            found[inside] += await _series(inside, seconds / 5)
    latencies = {inside: [call.latency_us for call in calls] for inside, calls in found.items()}
    nth = of_latencies(
        "call to output, fresh, prepared plugin", latencies[trivial],
        asked="p50 0.8, p99 3", aim="0.5", most=0.8, p99_most=3.0,
    )  # fmt: skip
    of_heavy = of_latencies("  with heavy imports", latencies[heavy])
    dearer = of_heavy.value / nth.value * 100 - 100
    first = [await _first(pool, f"# {number}\n{TRIVIAL}", number) for number in range(firsts)]
    first_heavy = [await _first(pool, f"# {number}\n{HEAVY}", number) for number in range(firsts)]
    return [
        nth,
        of_heavy,
        Figure("  heavy imports, dearer by", dearer, "%", asked="20", most=20.0),
        _restores(found[trivial]),
        of_latencies("first call of a plugin never seen here", first, asked="12", aim="6", most=12.0),
        of_latencies("  first call, heavy imports", first_heavy),
        *await _many(trivial, own_pid, seconds),
    ]


async def _series(inside: Inside, seconds: float) -> list[Called]:
    """Calls with a pause between them, in which the sandbox is restored."""
    calls = []
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        calls.append(await inside.call(DATA, EXPECTED))
        await asyncio.sleep(_PAUSE_SECONDS)
    return calls


def _restores(calls: Sequence[Called]) -> Figure:
    return of_latencies(
        "  restoring, after the output has left", [call.restore_us for call in calls if call.restore_us]
    )


async def _first(pool: Pool, source: str, number: int) -> int:
    inside = Inside(pool, source, f"first-{number}")
    latency_us = (await inside.call(DATA, EXPECTED)).latency_us
    await asyncio.sleep(_REST_SECONDS)
    return latency_us


async def _many(inside: Inside, own_pid: int, seconds: float) -> list[Figure]:
    """As many calls as go, from callers that each wait for their answer."""
    counts = [0] * _AT_ONCE
    until = time.perf_counter() + seconds

    async def caller(number: int) -> None:
        while time.perf_counter() < until:
            await inside.call(DATA, EXPECTED)
            counts[number] += 1

    before = cpu_by_process([own_pid])
    began = time.perf_counter()
    await asyncio.gather(*(caller(number) for number in range(_AT_ONCE)))
    took = time.perf_counter() - began
    count = sum(counts)
    # By process, since those that end meanwhile take what they have used with them.
    used = {pid: seconds - before.get(pid, 0.0) for pid, seconds in cpu_by_process([own_pid]).items()}
    host = used.pop(own_pid) * 1000 / count
    guest = sum(used.values()) * 1000 / count
    note = f"executor {host:.2f}, sandbox process {guest:.2f}"
    return [
        Figure("CPU a call, host and guest", host + guest, "ms", asked="0.8", aim="0.5", most=0.8, note=note),
        Figure("calls a second of one executor", count / took, "/s", asked="1,200", aim="2,000", least=1200),
    ]
