"""The leak probe: each call says what it finds in its interpreter, and then leaves what it can for the next."""

import asyncio
import json

from bench.in_executor import Inside
from bench.sandbox.figures import Figure
from executor.pool import Pool

SOURCE = """
import builtins, gc, json, os, random, re, sys, time, linecache, warnings
from platform_sdk import get_input, send_output
found = {
    "globals": sorted(globals()),
    "builtins": sorted(vars(builtins)),
    "modules": sorted(sys.modules),
    "descriptors": [],
    "recursion": sys.getrecursionlimit(),
    "gc": [gc.isenabled(), gc.get_threshold(), gc.get_freeze_count(), len(gc.garbage)],
    "caches": [len(re._cache), len(linecache.cache), len(sys.path_importer_cache)],
    "hooks": [len(warnings.filters), sys.gettrace() is None, sys.getprofile() is None, len(sys.meta_path)],
    "environment": dict(os.environ),
    "path": list(sys.path),
    "allocated": sys.getallocatedblocks(),
    "address": id(object()),
    "modified": [hasattr(json, "mark"), hasattr(builtins, "mark"), hasattr(list, "mark")],
}
for number in range(16):
    try:
        found["descriptors"].append([number, os.fstat(number).st_mode])
    except OSError as error:
        found["descriptors"].append([number, error.errno])
drawn = random.random()
send_output(json.dumps([found, drawn]))
builtins.mark = json.mark = "left"
left = [bytes(1000) for _ in range(200)]
[re.compile("b" * n) for n in range(1, 20)]
sys.setrecursionlimit(500)
gc.disable(); gc.set_threshold(7); gc.garbage.append(left)
os.environ["LEFT"] = "left"
sys.path.append("/left"); sys.modules["left"] = json; linecache.cache["left"] = (1, None, ["left"], "left")
random.seed(1); warnings.simplefilter("error"); sys.meta_path.append(None)
class Loop:
    def __del__(self): builtins.mark = "by __del__"
loop = Loop(); loop.itself = loop
for number in range(1, 12):
    try: os.close(number)
    except OSError: pass
"""


async def figures(pool: Pool, calls: int) -> list[Figure]:
    """How many things a later call finds other than the first did."""
    inside = Inside(pool, SOURCE, "leaks")
    first: dict[str, object] = {}
    drawn = set()
    differing: dict[str, int] = {}
    pids = set()
    for number in range(calls):
        called = await inside.call(b"", None)
        found, chance = json.loads(called.output)
        pids.add(called.pid)
        drawn.add(chance)
        # The first call of a process comes before what only later ones have (a page that is there).
        first = first or found
        for key in found:
            if found[key] != first[key]:
                differing[key] = differing.get(key, 0) + 1
        if number % 100 == 0:
            await asyncio.sleep(0)
    if len(drawn) != calls:
        differing["random"] = calls - len(drawn)
    note = f"in {calls:,} calls of {len(pids)} process{'es' if len(pids) > 1 else ''}"
    if differing:
        note += ": " + ", ".join(f"{key} {count}" for key, count in differing.items())
    return [Figure("leak probe, differences", sum(differing.values()), "", asked="0", most=0.0, note=note)]
