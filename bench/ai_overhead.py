"""What the broker adds to a model server: to a call, to the first token, to each token; and how much it carries."""

from pathlib import Path

from nats.aio.client import Client

from bench.ai_client import Heard, Load
from bench.ai_findings import Finding, ms, quantile
from bench.ai_parts import Askers, Process, Server, broker, knows_models
from bench.ai_server import MODEL
from bench.in_executor import Wrong

_CALL = "5 8 0"
_STREAM = "5 200 0"
_PACED = "5 50 5"
"""As a model speaks: the machine has nothing else to do between two tokens."""


async def overhead(askers: Askers, nats: str, server: Server, turns: int) -> list[Finding]:
    """Direct and through the broker in turns, one caller."""
    calls = {"direct": Heard(), "broker": Heard()}
    streams = {"direct": Heard(), "broker": Heard()}
    paced = {"direct": Heard(), "broker": Heard()}
    for _ in range(turns):
        for name, to in (("direct", server.url), ("broker", nats)):
            _add(calls[name], await askers.hear(Load(to, MODEL, _CALL, requests=40)))
            _add(streams[name], await askers.hear(Load(to, MODEL, _STREAM, requests=8, stream=True)))
            _add(paced[name], await askers.hear(Load(to, MODEL, _PACED, requests=8, stream=True)))
    added = [
        _added("a call, p50", calls, "latencies_us", 0.5, 3_000),
        _added("a call, p99", calls, "latencies_us", 0.99, None),
        _added("the first token, p50", paced, "firsts_us", 0.5, 3_000),
        _added("the first token, p99", paced, "firsts_us", 0.99, None),
        _added("a token at 200 a second, from its sending, p50", paced, "delays_us", 0.5, None),
    ]
    tokens = 200
    longer = quantile(streams["broker"].latencies_us, 0.5) - quantile(streams["direct"].latencies_us, 0.5)
    each = longer / tokens
    added.append(
        Finding(
            "added to each of 200 tokens as fast as they come",
            f"{each / 1000:.4f} ms",
            "<= 0.2 ms",
            each <= 200,
            {"added_us_a_token": round(each, 2)},
        )
    )
    return added


async def throughput(askers: Askers, nats: str, process: Process, callers: int, seconds: float) -> Finding:
    """As many calls as one broker carries."""
    before = process.cpu_seconds()
    heard = await askers.hear(Load(nats, MODEL, "2 8 0", callers=callers, seconds=seconds))
    _check(heard)
    count = len(heard.latencies_us)
    rate = count / heard.seconds
    cpu_us = (process.cpu_seconds() - before) / count * 1e6
    return Finding(
        f"one broker, {callers} callers",
        f"{rate:,.0f} calls/s, {cpu_us:.0f} us CPU each",
        ">= 1,500 calls/s",
        rate >= 1_500,
        {"calls_per_second": round(rate, 1), "broker_cpu_us": round(cpu_us, 1), "callers": callers},
    )


async def many_streams(askers: Askers, nc: Client, nats: str, server: Server, folder: Path) -> Finding:
    """A thousand streams at once through one broker."""
    count = 1_000
    async with broker(folder, nats, server.url, WASMFORGE_AI_PARALLEL=str(count)) as process:
        await knows_models(nc)
        await server.counts()
        before = process.cpu_seconds()
        heard = await askers.hear(
            Load(nats, MODEL, "200 20 200", callers=count, requests=1, stream=True, plugin="streams")
        )
        peak = (await server.counts()).peak
        cpu = process.cpu_seconds() - before
        memory = process.memory_bytes()
    whole = len(heard.latencies_us)
    delay = quantile(heard.delays_us, 0.5)
    return Finding(
        f"{count:,} streams at once, 5 tokens a second each",
        f"{peak:,} ran at once, {whole:,} whole; a token takes {ms(delay)} p50, "
        f"{ms(quantile(heard.delays_us, 0.99))} p99; {cpu / max(1, heard.tokens) * 1e6:.0f} us CPU each, "
        f"{memory / 2**20:.0f} MiB",
        "all of them, none lost",
        peak >= count and whole == count and heard.tokens == 20 * count,
        {"peak": peak, "whole": whole, "tokens": heard.tokens, "p50_delay_us": delay, "broker_memory_bytes": memory},
    )


async def reality(askers: Askers, nats: str, url: str, model: str, turns: int) -> list[Finding]:
    """The same against a model that thinks."""
    calls = {"direct": Heard(), "broker": Heard()}
    streams = {"direct": Heard(), "broker": Heard()}
    options = {"num_predict": 16, "temperature": 0, "seed": 1}
    for _ in range(turns):
        for name, to in (("direct", url), ("broker", nats)):
            for heard, stream in ((calls, False), (streams, True)):
                load = Load(to, model, "Name a colour.", requests=5, stream=stream, options=options, stamped=False)
                _add(heard[name], await askers.hear(load))
    return [
        _added("a call of the embedded model, p50", calls, "latencies_us", 0.5, None),
        _added("its first token, p50", streams, "firsts_us", 0.5, None),
    ]


def _added(what: str, heard: dict[str, Heard], which: str, share: float, most_us: float | None) -> Finding:
    direct, through = (quantile(getattr(heard[name], which), share) for name in ("direct", "broker"))
    added = through - direct
    return Finding(
        f"added to {what}",
        f"{ms(added)} ({ms(direct)} -> {ms(through)})",
        "" if most_us is None else f"<= {most_us / 1000:g} ms",
        None if most_us is None else added <= most_us,
        {"added_us": round(added), "direct_us": round(direct), "broker_us": round(through)},
    )


def _add(to: Heard, heard: Heard) -> None:
    _check(heard)
    to.latencies_us += heard.latencies_us
    to.firsts_us += heard.firsts_us
    to.delays_us += heard.delays_us


def _check(heard: Heard) -> None:
    if heard.failures or not heard.latencies_us:
        raise Wrong(f"requests failed: {heard.failures or 'there was none'}")
