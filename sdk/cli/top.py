"""``wasmforge top``: who asks what of the models, live."""

import argparse
import asyncio
import contextlib
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence

from schemas import ai
from schemas.errors import WasmForgeError
from schemas.http import Usage
from sdk.cli import terminal
from sdk.cli.exits import Exit
from sdk.client import WasmForge

INTERVAL_SECONDS = 1.0

_OTHER_SCREEN, _OWN_SCREEN = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
_HOME, _REST_OF_LINE, _REST_OF_SCREEN = "\x1b[H", "\x1b[K", "\x1b[J"
_BOLD, _PLAIN = "\x1b[1m", "\x1b[0m"
_LONGEST_NAME = 56
_BAR = 20

Table = list[Sequence[str]]


async def top(wf: WasmForge, arguments: argparse.Namespace) -> Exit:
    """Show it until Ctrl-C, anew each second; once if asked to, or if nobody is there to watch."""
    if arguments.json:
        terminal.put_json(await wf.usage())
    elif arguments.once or not sys.stdout.isatty():
        for line in page(await wf.usage()):
            terminal.put_line(line)
    else:
        await _watch(wf)
    return Exit.OK


def page(usage: Usage, before: Usage | None = None, seconds: float = 0.0) -> list[str]:
    """The whole page, a line each.

    Args:
        usage: the counts now.
        before: the counts ``seconds`` ago; without them rates are those since the brokers started.
        seconds: see there.
    """
    brokers = f"{usage.brokers} broker{'' if usage.brokers == 1 else 's'}"
    requests = sum(counters.requests for counters in usage.models)
    running = sum(counters.running for counters in usage.models)
    waiting = sum(counters.waiting for counters in usage.models)
    since = f" since {usage.since[:19].replace('T', ' ')} UTC" if usage.since else ""
    lines = [f"{brokers}: {running:,} running, {waiting:,} waiting, {requests:,} requests{since}"]
    for title, after, earlier in (
        ("MODEL", usage.models, before and before.models),
        ("PLUGIN", usage.plugins, before and before.plugins),
        ("CALLER", usage.callers, before and before.callers),
    ):
        if after:
            lines += ["", *_aligned(_counters(title, after, earlier or [], seconds))]
    if usage.budgets:
        lines += ["", *_aligned(_budgets(usage.budgets))]
    return lines


def _counters(title: str, after: Sequence[ai.Counters], before: Sequence[ai.Counters], seconds: float) -> Table:
    earlier = {counters.key: counters for counters in before}
    titles = ("RUN", "WAIT", "REQ/S", "REQUESTS", "CACHED", "QUEUE MS", "ANSWER MS", "TOKENS IN", "OUT", "TOKENS/S")
    rows: Table = [(title, *titles, "REFUSED")]
    live = sorted(after, key=lambda counters: counters.running + counters.waiting, reverse=True)
    for counters in live:
        recent = _since(counters, earlier.get(counters.key))
        # What happened lately says more; where nothing did, what happened at all.
        shown = recent if recent.requests else counters
        answered = max(1, shown.requests - sum(shown.refused.values()) - shown.cached)
        refused = ", ".join(f"{code} {count:,}" for code, count in Counter(counters.refused).most_common(3))
        rows.append(
            (
                counters.key or "(none)",
                f"{counters.running:,}",
                f"{counters.waiting:,}",
                f"{recent.requests / seconds:,.1f}" if seconds else "",
                f"{counters.requests:,}",
                f"{counters.cached:,}",
                f"{shown.queue_us / max(1, shown.requests) / 1000:,.1f}",
                f"{shown.generation_us / answered / 1000:,.1f}",
                f"{counters.prompt_tokens:,}",
                f"{counters.output_tokens:,}",
                f"{shown.output_tokens * 1e6 / shown.generation_us:,.0f}" if shown.generation_us else "",
                refused,
            )
        )
    return rows


def _since(after: ai.Counters, before: ai.Counters | None) -> ai.Counters:
    if before is None or before.requests > after.requests:  # a broker has gone, or begun anew
        return ai.Counters(after.key, refused={})
    refused = {code: count - before.refused.get(code, 0) for code, count in after.refused.items()}
    return ai.Counters(
        after.key,
        after.requests - before.requests,
        {code: count for code, count in refused.items() if count > 0},
        after.cached - before.cached,
        after.prompt_tokens - before.prompt_tokens,
        after.output_tokens - before.output_tokens,
        after.queue_us - before.queue_us,
        after.generation_us - before.generation_us,
    )


def _budgets(budgets: Sequence[ai.BudgetState]) -> Table:
    rows: Table = [("BUDGET", "USED", "LIMIT", "A", "FREE IN", "")]
    for budget in budgets:
        share = min(1.0, budget.used / max(1, budget.limit))
        name = f"{budget.scope} {budget.key}".strip()
        rows.append(
            (
                f"{name}: {budget.what.replace('_', ' ')}",
                f"{budget.used:,}",
                f"{budget.limit:,}",
                budget.window,
                _span(budget.resets_in_ms / 1000),
                "█" * round(share * _BAR) + "·" * (_BAR - round(share * _BAR)),
            )
        )
    return rows


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7_200 else f"{seconds / 3600:.0f} h"


def _aligned(rows: Table) -> list[str]:
    """Names to the left and numbers to the right; the last column is as wide as it likes."""
    cells = [[_shown(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    lines = []
    for first, *middle, last in cells:
        numbers = [cell.rjust(width) for cell, width in zip(middle, widths[1:-1], strict=True)]
        lines.append("  ".join([first.ljust(widths[0]), *numbers, last]).rstrip())
    return lines


def _shown(text: str) -> str:
    # Callers call themselves what they want; that must not steer a terminal.
    text = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
    return text if len(text) <= _LONGEST_NAME else text[: _LONGEST_NAME - 1] + "…"


async def _watch(wf: WasmForge) -> None:
    async with _screen() as leave:
        before: Usage | None = None
        read_at = 0.0
        while not leave.is_set():
            now = time.monotonic()
            try:
                usage = await wf.usage()
            except WasmForgeError as error:
                _draw([f"{error.message} (trying again)"])
            else:
                _draw(page(usage, before, now - read_at if before else 0.0))
                before, read_at = usage, now
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(leave.wait(), INTERVAL_SECONDS)


@contextlib.asynccontextmanager
async def _screen() -> AsyncIterator[asyncio.Event]:
    """A screen of its own, left as it was found; the value is set by Ctrl-C."""
    leave = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, leave.set)
    terminal.put_bytes(_OTHER_SCREEN.encode())
    try:
        yield leave
    finally:
        terminal.put_bytes(_OWN_SCREEN.encode())
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


def _draw(lines: Sequence[str]) -> None:
    size = shutil.get_terminal_size()
    shown = [line[: size.columns] for line in lines[: size.lines - 1]]
    # A table's head is the line after an empty one.
    marked = [
        f"{_BOLD}{line}{_PLAIN}" if number and not shown[number - 1] else line for number, line in enumerate(shown)
    ]
    text = _HOME + f"{_REST_OF_LINE}\n".join(marked) + _REST_OF_LINE + _REST_OF_SCREEN
    terminal.put_bytes(text.encode("utf-8", "replace"))
