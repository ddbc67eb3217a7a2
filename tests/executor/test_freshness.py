"""Every call begins in an interpreter that has never run anything else, whatever the one before it did."""

# ruff: noqa: E501

import pytest

from executor.pool import Pool
from tests.executor.conftest import Engine
from tests.executor.sandboxed import Runner

PROBE = """
import builtins, decimal, gc, json, linecache, locale, logging, os, random, signal, sys, threading, types, warnings
import asyncio, contextvars, copyreg, re, time, traceback
import platform_sdk, _wasmforge
from platform_sdk import get_input_bytes

def attributes(module):
    return {name: id(value) for name, value in sorted(vars(module).items()) if name not in ("input", "_inst")}

def refused(action):
    try:
        action()
    except OSError as error:
        return error.errno
    return "allowed"

state = {
    "modules": [list(sys.modules), {name: id(module) for name, module in sys.modules.items() if name != "__main__"}],
    "attributes": {module.__name__: attributes(module) for module in (
        builtins, decimal, gc, json, linecache, os, random, signal, threading, warnings, asyncio, re, traceback,
        platform_sdk, _wasmforge, types,
    )},
    "sys": {name: repr(getattr(sys, name)) for name in (
        "path", "argv", "flags", "meta_path", "path_hooks", "dont_write_bytecode", "excepthook", "displayhook",
        "stdout", "stderr", "__stdout__", "__stderr__", "ps1", "tracebacklimit", "unraisablehook",
    ) if hasattr(sys, name)},
    "path_importer_cache": sorted(map(repr, sys.path_importer_cache)),
    "limits": [sys.getrecursionlimit(), sys.get_int_max_str_digits(), sys.getswitchinterval()],
    "trace": [repr(sys.gettrace()), repr(sys.getprofile()), sys.get_asyncgen_hooks() == (None, None)],
    "gc": [gc.isenabled(), gc.get_threshold(), gc.get_count(), gc.get_freeze_count(), gc.get_debug(), len(gc.garbage),
           [kind["collections"] for kind in gc.get_stats()], len(gc.callbacks), len(gc.get_objects())],
    "blocks": sys.getallocatedblocks(),
    "warnings": [repr(warnings.filters), repr(warnings.showwarning), warnings._filters_mutated.__name__],
    "decimal": repr(decimal.getcontext()),
    "default decimal": repr(decimal.DefaultContext),
    "environment": [sorted(os.environ), os.getcwd(), os.listdir.__module__],
    "linecache": sorted(linecache.cache),
    "logging": [logging.root.level, len(logging.root.handlers), sorted(logging.root.manager.loggerDict)],
    "signals": repr(signal.getsignal(signal.SIGINT)),
    "subclasses": len(object.__subclasses__()),
    "abc": len(copyreg.dispatch_table),
    "interned": sys.intern("secret" + "_probe") is not None,
    "descriptors": [refused(lambda n=n: os.fstat(n)) for n in range(16)],
    "standard": [sys.stdout.closed, sys.stderr.closed, sys.stdin.closed],
    "here": sorted(globals()),
    "input": len(get_input_bytes()),
    "frames": sys._getframe().f_back.f_code.co_name,
    "threads": threading.active_count(),
    "event loop": repr(asyncio._get_running_loop()),
    "context": len(contextvars.copy_context()),
    "re": len(re._cache),
    "locale": locale.setlocale(locale.LC_ALL),
    "zone": time.tzname,
}
print(json.dumps(state, sort_keys=True, default=repr))
"""

SECRET = "s3cr3t-of-the-caller-before"

POISON = {
    "globals": "leaked = 'SECRET'\nimport __main__\n__main__.other = leaked",
    "builtins": "import builtins\nbuiltins.print = builtins.open = lambda *_, **__: 'SECRET'\nbuiltins.leaked = 1\ndel builtins.len",
    "modules": "import sys\nsys.modules['json'] = sys.modules['leaked'] = 'SECRET'\nsys.modules.pop('random')",
    "all modules": "import sys\nsys.modules.clear()",
    "imports": "import sqlite3, urllib.request, csv, xml.dom.minidom, unittest, http.client",
    "functions": "import json\njson.dumps = json.loads = lambda *_: 'SECRET'\njson.encoder.c_make_encoder = None",
    "platform_sdk": "import platform_sdk\nplatform_sdk.get_input = lambda: 'SECRET'\nplatform_sdk.AIError = int\nplatform_sdk.leaked = 1",
    "transport": "import _wasmforge\n_wasmforge.input = b'SECRET'\n_wasmforge.request = _wasmforge.send_output = print",
    "path": "import sys\nsys.path[:] = ['SECRET']\nsys.meta_path.clear()\nsys.path_hooks.clear()\nsys.argv.append('SECRET')",
    "environment": "import os\nos.environ['LEAKED'] = 'SECRET'\nos.putenv('OTHER', 'SECRET')",
    "random": "import random\nrandom.seed(1)\nrandom.random = lambda: 4",
    "gc": "import gc\ngc.disable()\ngc.set_threshold(1)\ngc.callbacks.append(print)\ngc.garbage.append('SECRET')\ngc.unfreeze()\ngc.collect()",
    "warnings": "import warnings\nwarnings.simplefilter('error')\nwarnings.showwarning = print",
    "decimal": "import decimal\ndecimal.getcontext().prec = 3\ndecimal.DefaultContext.prec = 2",
    "linecache": "import linecache\nlinecache.cache['SECRET'] = (1, None, ['SECRET'], 'SECRET')",
    "limits": "import sys\nsys.setrecursionlimit(50)\nsys.set_int_max_str_digits(640)\nsys.setswitchinterval(9)\nsys.tracebacklimit = 0",
    "hooks": "import sys\nsys.excepthook = sys.displayhook = sys.unraisablehook = print\nsys.settrace(lambda *_: None)\nsys.setprofile(lambda *_: None)",
    "audit": "import sys\nsys.addaudithook(lambda *_: None)",
    "descriptors": "import os\nos.closerange(0, 64)",
    "files": "import sys\nsys.stdout.close()\nsys.stderr.close()",
    "signals": "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)",
    "logging": "import logging\nlogging.basicConfig(level=1)\nlogging.getLogger('SECRET').error('SECRET')",
    "classes": "import numbers, abc\nclass Leaked(dict): pass\nnumbers.Number.register(Leaked)\nkeep = Leaked.leaked = Leaked(a='SECRET')",
    "interned": "import sys\nkept = [sys.intern('SECRET%d' % n) for n in range(5000)]",
    "atexit": "import atexit\natexit.register(print, 'SECRET')",
    "context": "import contextvars\ncontextvars.ContextVar('leaked').set('SECRET')",
    "asyncio": "import asyncio\nloop = asyncio.new_event_loop()\nasyncio.set_event_loop(loop)\nasyncio._set_running_loop(loop)",
    "coroutine": "async def f(): pass\nkept = f()\ndef g():\n    yield\nkept2 = g()\nnext(kept2)",
    "finalizer": "class F:\n    def __del__(self): print('SECRET')\nimport builtins\nbuiltins.kept = F()",
    "cycles": "for _ in range(1000):\n    x = []\n    x.append(x)",
    "ctypes of the poor": "import gc\nfor thing in gc.get_referents(dict.__dict__):\n    thing['leaked'] = 'SECRET'",
    "an error": "x = 'SECRET'\n1/0",
    "an exit": "import sys\nsys.exit('SECRET')",
    "an error in an error": "try: 1/0\nfinally: raise ValueError('SECRET')",
    "recursion": "def f(): f()\nf()",
    "8 MiB within its room": "kept = b'x' * (8 * 1024 * 1024)",
    "20 MiB within its room": "kept = bytearray(20 * 1024 * 1024)",
    "small objects": "kept = [str(n) + 'SECRET' for n in range(50_000)]",
    "output": "from platform_sdk import *\nsend_output('SECRET')\nprint('SECRET', end='')",
    "half a line": "import sys\nsys.stdout.write('SECRET')\nsys.stdout = None",
    "forged result": "import os\nos.write(0, b'\\x12plugin_error\\0SECRET')",
}  # fmt: skip

UNFIT = {
    "grown memory": "kept = bytearray(60 * 1024 * 1024)",
    "os._exit": "import os\nos._exit(0)",
    "os.abort": "import os\nos.abort()",
    "unread reply": "import os\nos.write(0, b'\\x11{}')",
}


@pytest.fixture(scope="module")
async def alone(engine: Engine) -> Runner:
    """Runs plugins one after the other; what one plugin carries runs in one process."""
    pool = Pool(engine.wasmedge, engine.best)
    await pool.use_engine(engine.best)
    yield Runner(pool, slots=1)
    await pool.close()


@pytest.fixture(scope="module")
async def clean(alone: Runner) -> str:
    """The probe's report of a process that has run nothing yet."""
    return (await alone.carried(PROBE, b"probe")).text


@pytest.mark.parametrize("name", POISON)
async def test_a_call_leaves_nothing_behind_in_its_process(alone: Runner, clean: str, name: str) -> None:
    poisoned = await alone.carried(POISON[name].replace("SECRET", SECRET), SECRET)
    assert poisoned.fit
    probed = await alone.carried(PROBE, b"probe")
    assert probed.pid == poisoned.pid
    assert probed.text == clean
    assert SECRET not in probed.text + probed.log
    assert probed.log == probed.text


SEEN = (
    "globals", "builtins", "modules", "imports", "platform_sdk", "transport", "path", "environment", "random", "gc",
    "warnings", "decimal", "linecache", "limits", "hooks", "descriptors", "files", "signals", "logging", "classes",
    "context", "asyncio", "cycles", "8 MiB within its room",
)  # fmt: skip


@pytest.mark.parametrize("name", SEEN)
async def test_the_probe_would_see_it(alone: Runner, clean: str, name: str) -> None:
    both = await alone.carried(POISON[name] + "\n" + PROBE, b"probe")
    assert both.outcome.output.decode() != clean


@pytest.mark.parametrize("name", UNFIT)
async def test_a_process_that_can_not_be_put_back_runs_nothing_more(alone: Runner, clean: str, name: str) -> None:
    poisoned = await alone.carried(UNFIT[name])
    assert not poisoned.fit
    probed = await alone.carried(PROBE, b"probe")
    assert probed.pid != poisoned.pid
    assert probed.text == clean


async def test_memory_of_the_call_before_is_not_in_free_memory(alone: Runner) -> None:
    await alone.carried(f"kept = [('{SECRET}' + str(n)) for n in range(100_000)]", SECRET)
    # bytearray(n) of a large n comes from fresh or freed memory; CPython zeroes it, a raw allocation does not.
    ran = await alone.carried(
        """
        import io
        found = 0
        for size in (64, 256, 1024, 65536, 1 << 20, 4 << 20):
            for _ in range(4):
                raw = bytearray()
                raw.extend(b"x")
                view = io.BytesIO()
                view.seek(size)
                view.write(b".")
                found += b"s3cr3t-of" in view.getvalue()
        print(found)
        """
    )
    assert ran.text == "0\n"


async def test_what_must_be_random_is_so_in_every_call(alone: Runner) -> None:
    source = """
    import os, random, secrets, tempfile, uuid
    from platform_sdk import send_output
    send_output([random.random(), random.getrandbits(64), str(uuid.uuid4()), str(uuid.uuid1()), secrets.token_hex(),
                 os.urandom(16).hex(), random.SystemRandom().random(), next(tempfile._get_candidate_names())])
    """
    calls = [await alone.carried(source) for _ in range(20)]
    assert len({ran.pid for ran in calls}) == 1
    for column in zip(*(ran.value for ran in calls), strict=True):
        assert len(set(column)) == len(column), column


async def test_two_processes_of_one_base_draw_different_numbers(alone: Runner) -> None:
    source = "import random\nprint(random.random())\nimport os\nos._exit(0)"
    calls = [await alone.carried(source) for _ in range(5)]
    assert len({ran.pid for ran in calls}) == 5
    assert len({ran.text for ran in calls}) == 5


async def test_three_hundred_calls_with_poison_between_them_see_the_same_world(alone: Runner, clean: str) -> None:
    poisons = [source.replace("SECRET", SECRET) for name, source in POISON.items() if "MiB" not in name]
    pids = set()
    for number in range(150):
        poisoned = await alone.carried(poisons[number % len(poisons)], SECRET)
        probed = await alone.carried(PROBE, b"probe")
        assert probed.text == clean, f"after call {2 * number}"
        pids |= {poisoned.pid, probed.pid}
    assert len(pids) == 1


async def test_cpu_time_is_in_seconds_and_does_not_pass_while_a_plugin_sleeps(run: Runner) -> None:
    ran = await run(
        """
        import os, time
        from platform_sdk import send_output
        def now():
            times = os.times()
            return time.monotonic(), time.process_time(), time.process_time_ns() / 1e9, times.user + times.system, times[4]
        before = now()
        sum(range(300_000))
        worked = now()
        time.sleep(0.5)
        slept = now()
        send_output({"worked": [b - a for a, b in zip(before, worked)], "slept": [b - a for a, b in zip(worked, slept)]})
        """
    )
    wall, *cpu = ran.value["worked"]
    assert all(0.001 < seconds <= wall + 0.1 for seconds in cpu[:3]), ran.value
    wall, *cpu = ran.value["slept"]
    assert wall >= 0.5
    assert all(0 <= seconds < 0.4 for seconds in cpu[:3]), ran.value
