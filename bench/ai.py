"""``make bench-ai``: the AI broker beside model servers without it, in turns, so that noise hits both alike."""

import argparse
import json
import logging
import os
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

import uvloop

from bench import ai_overhead, ai_policy
from bench.ai_findings import Finding, table
from bench.ai_parts import askers, broker, embedded, knows_models, stub
from bench.in_executor import Wrong
from deploy.local.nats import NatsServer
from deploy.local.process import StartFailed
from schemas import bus

_REAL_MODEL = "smollm2:135m"
_PARTS = ("overhead", "throughput", "streams", "flood", "shares", "budget", "killed", "reality")


async def _main(chosen: argparse.Namespace, folder: Path) -> list[Finding]:
    findings: list[Finding] = []
    parts: set[str] = set(chosen.only or _PARTS)

    def found(*more: Finding) -> None:
        findings.extend(more)
        print(table(more), file=sys.stderr, flush=True)

    async with AsyncExitStack() as stack:
        nats = (await stack.enter_async_context(NatsServer(folder / "nats").run())).url
        server = await stack.enter_async_context(stub(folder))
        asking = await stack.enter_async_context(askers())
        nc = await bus.connect(nats, "bench")
        stack.push_async_callback(nc.close)
        if parts & {"overhead", "throughput"}:
            async with broker(folder, nats, server.url, WASMFORGE_AI_PARALLEL="256") as process:
                await knows_models(nc)
                if "overhead" in parts:
                    found(*await ai_overhead.overhead(asking, nats, server, chosen.turns))
                if "throughput" in parts:
                    for callers in (16, 64):
                        found(await ai_overhead.throughput(asking, nats, process, callers, chosen.seconds))
        if "streams" in parts:
            found(await ai_overhead.many_streams(asking, nc, nats, server, folder))
        if "flood" in parts:
            found(await ai_policy.flood(nc, nats, server, folder, chosen.turns))
        if "shares" in parts:
            found(await ai_policy.shares(nc, nats, server, folder, chosen.seconds))
        if "budget" in parts:
            found(*await ai_policy.budget(nc, nats, server, folder))
            found(await ai_policy.cost_of_budget(asking, nc, nats, server, folder))
        if "killed" in parts:
            found(await ai_policy.killed(nc, nats, folder))
        if "reality" in parts:
            url = await stack.enter_async_context(embedded(folder))
            async with broker(folder, nats, url, WASMFORGE_MODELS=json.dumps([{"name": _REAL_MODEL}])):
                await knows_models(nc)
                found(*await ai_overhead.reality(asking, nats, url, _REAL_MODEL, chosen.turns))
    return findings


def main() -> int:
    """Measure, print, and say by the exit code whether every target was met."""
    parser = argparse.ArgumentParser(prog="python -m bench.ai", description=__doc__)
    parser.add_argument("--turns", type=int, default=5, help="turns of what is compared (default 5)")
    parser.add_argument("--seconds", type=float, default=5.0, help="length of what is under load (default 5)")
    parser.add_argument("--only", action="append", choices=_PARTS, help="only this; may be given several times")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    chosen = parser.parse_args()
    logging.getLogger("schemas.bus").setLevel(logging.ERROR)
    load = os.getloadavg()[0]
    try:
        with tempfile.TemporaryDirectory(prefix="wf-ai-", ignore_cleanup_errors=True) as folder:
            findings = uvloop.run(_main(chosen, Path(folder)))
    except (TimeoutError, Wrong, StartFailed) as problem:
        print(f"bench: {str(problem) or type(problem).__name__}", file=sys.stderr)
        return 1
    print(f"{os.cpu_count()} cores, nothing pinned, load average {load:.2f} before the run\n")
    print(table(findings))
    if chosen.json is not None:
        figures = {"cores": os.cpu_count(), "load_before": load, "findings": [vars(finding) for finding in findings]}
        chosen.json.write_text(json.dumps(figures, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
