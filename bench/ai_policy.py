"""What the broker is for: fairness, budgets, model servers that die."""

import asyncio
import time
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
from nats.aio.client import Client

from bench.ai_client import Load
from bench.ai_findings import Finding, ms, quantile
from bench.ai_parts import Askers, Server, broker, knows_models, stub
from bench.ai_server import MODEL
from schemas import headers, subjects

SERVICE_MS = 40
_ASKED = msgspec.json.encode({"model": MODEL, "prompt": f"{SERVICE_MS} 1 0"})


async def ask(nc: Client, plugin: str, body: bytes = _ASKED) -> str:
    """One request for a plugin; empty: answered, else the code of the failure."""
    reply = await nc.request(subjects.AI_GENERATE, body, timeout=120, headers={headers.PLUGIN: plugin})
    error = headers.get_error(reply.headers, reply.data)
    return "" if error is None else (reply.headers or {}).get(headers.ERROR_CODE, str(error.error_type))


async def flood(nc: Client, nats: str, server: Server, folder: Path, turns: int) -> Finding:
    """One plugin asks 200 times at once, another once; the model server takes one request at a time."""
    times = []
    async with broker(folder, nats, server.url, WASMFORGE_AI_PARALLEL="1"):
        await knows_models(nc)
        for turn in range(turns):
            flooding = [asyncio.create_task(ask(nc, f"flood{turn}")) for _ in range(200)]
            await asyncio.wait(flooding, return_when=asyncio.FIRST_COMPLETED)
            began = time.perf_counter()
            if await ask(nc, f"other{turn}"):
                return Finding("one request among a flood of 200", "refused", "", False)
            times.append((time.perf_counter() - began) * 1000 / SERVICE_MS)
            for task in flooding:
                task.cancel()
            # They have gone, which the broker may not know yet: the next turn's plugins are others.
            await asyncio.gather(*flooding, return_exceptions=True)
    usual, worst = quantile(times, 0.5), max(times)
    return Finding(
        "one request among a flood of 200",
        f"{usual:.2f} service times, {worst:.2f} at worst",
        "<= 2 service times (and what a call costs)",
        usual <= 2.25,
        {"service_times": round(usual, 3), "worst_service_times": round(worst, 3)},
    )


async def shares(nc: Client, nats: str, server: Server, folder: Path, seconds: float) -> Finding:
    """Plugins that always want more, one with twenty times as many callers as another."""
    answered: Counter[str] = Counter()
    until = time.perf_counter() + seconds

    async def caller(plugin: str) -> None:
        while time.perf_counter() < until:
            if not await ask(nc, plugin, msgspec.json.encode({"model": MODEL, "prompt": "10 1 0"})):
                answered[plugin] += time.perf_counter() < until

    async with broker(folder, nats, server.url, WASMFORGE_AI_PARALLEL="2"):
        await knows_models(nc)
        callers = [caller(plugin) for plugin, count in (("a", 100), ("b", 30), ("c", 10)) for _ in range(count)]
        await asyncio.gather(*callers)
    differs = (max(answered.values()) - min(answered.values())) / (sum(answered.values()) / len(answered))
    return Finding(
        "shares of plugins with 100, 30 and 10 callers",
        ", ".join(f"{plugin} {count:,}" for plugin, count in sorted(answered.items())) + f": {differs:.1%} apart",
        "< 10 %",
        differs < 0.1,
        {"apart": round(differs, 4)},
    )


async def budget(nc: Client, nats: str, server: Server, folder: Path) -> list[Finding]:
    """Three brokers, 50 callers, a budget of 500 calls; and what a budget costs a call."""
    limit, plugin = 500, "spender"
    set_to = msgspec.json.encode({"plugin": {plugin: {"calls": {"day": limit}}}}).decode()
    body = msgspec.json.encode({"model": MODEL, "prompt": "0 1 0"})
    async with AsyncExitStack() as stack:
        for _ in range(3):
            await stack.enter_async_context(broker(folder, nats, server.url, WASMFORGE_BUDGETS=set_to))
        await knows_models(nc)
        await server.counts()
        asked = (await server.counts()).asked

        async def caller() -> Counter[str]:
            return Counter([await ask(nc, plugin, body) for _ in range(20)])

        outcomes: Counter[str] = sum(await asyncio.gather(*(caller() for _ in range(50))), Counter())
        reached = (await server.counts()).asked - asked
    return [
        Finding(
            "a budget of 500 calls, 3 brokers, 50 callers that ask 1,000 times",
            f"{outcomes['']:,} answered, {outcomes['budget_exceeded']:,} refused, {reached:,} reached the model server",
            "500, never one over",
            outcomes == {"": limit, "budget_exceeded": 500} and reached == limit,
            {"answered": outcomes[""], "refused": outcomes["budget_exceeded"], "reached": reached},
        )
    ]


async def cost_of_budget(askers: Askers, nc: Client, nats: str, server: Server, folder: Path) -> Finding:
    """Calls of a plugin with four budgets beside calls of one with none, in turns, one caller."""
    four = {"calls": {"minute": 10**9, "day": 10**9}, "output_tokens": {"minute": 10**9, "day": 10**9}}
    set_to = msgspec.json.encode({"plugin": {"counted": four}}).decode()
    found: dict[str, list[int]] = {"counted": [], "free": []}
    async with broker(folder, nats, server.url, WASMFORGE_BUDGETS=set_to):
        await knows_models(nc)
        for _ in range(5):
            for plugin in found:
                heard = await askers.hear(Load(nats, MODEL, "2 1 0", requests=100, plugin=plugin))
                found[plugin] += heard.latencies_us
    added = quantile(found["counted"], 0.5) - quantile(found["free"], 0.5)
    return Finding(
        "added to a call by four budgets, p50", ms(added), "<= 1 ms", added <= 1_000, {"added_us": round(added)}
    )


async def killed(nc: Client, nats: str, folder: Path) -> Finding:
    """Three model servers under load; one is killed, later another."""
    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(stub(folder)) for _ in range(3)]
        await stack.enter_async_context(broker(folder, nats, *(server.url for server in servers)))
        await knows_models(nc, 3)
        outcomes: Counter[str] = Counter()

        async def caller() -> None:
            for _ in range(60):
                outcomes[await ask(nc, "p", msgspec.json.encode({"model": MODEL, "prompt": "20 1 0"}))] += 1

        load = asyncio.gather(*(caller() for _ in range(16)))
        for server, after in ((servers[0], 200), (servers[1], 600)):
            while sum(outcomes.values()) < after:  # noqa: ASYNC110  # a moment more or less does not matter
                await asyncio.sleep(0.001)
            await server.process.child.kill()
        await load
    failed = {code: count for code, count in outcomes.items() if code}
    return Finding(
        "960 requests to three model servers, two killed one after the other",
        f"{outcomes['']:,} answered, " + (f"failed: {failed}" if failed else "none failed"),
        "none fails",
        not failed,
        {"answered": outcomes[""], "failed": sum(failed.values())},
    )
