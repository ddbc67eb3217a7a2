"""Plugins that misbehave: each ends with the answer of the table of errors, and another plugin's call is untouched."""

import asyncio
import time
from dataclasses import dataclass

import httpx
import pytest

from tests.e2e.plugins import UPPER, assert_problem, call, deploy

SDK = "from platform_sdk import *\n"


@dataclass(frozen=True)
class Bad:
    """A plugin that fails, and how."""

    source: str
    status: int
    error_type: str
    text: str = ""


FAILS = {
    "raises": Bad(
        "def f():\n    raise ValueError('näh')\n\nf()\n", 500, "plugin_error", "line 2, in f\n    raise ValueError"
    ),
    "raises-nothing-known": Bad("class E(BaseException): pass\nraise E\n", 500, "plugin_error", "line 2"),
    "raises-what-cannot-be-printed": Bad(
        "class E(Exception):\n    def __str__(self): raise self\nraise E\n", 500, "plugin_error", "line 3"
    ),
    "raises-at-length": Bad("raise ValueError('x' * 10_000_000)\n", 500, "plugin_error", "left out"),
    "raises-a-forged-type": Bad("raise ValueError('\\0timeout\\0')\n", 500, "plugin_error"),
    "missing-module": Bad("import importlib\nimportlib.import_module('numpy')\n", 500, "plugin_error", "numpy"),
    "recurses": Bad("def f(): f()\nf()\n", 500, "plugin_error", "RecursionError"),
    "recurses-in-c": Bad(
        "import sys\nsys.setrecursionlimit(10**9)\ndef f(n): return f(n + 1) + 1\nf(0)\n", 500, "plugin_error"
    ),
    "exits": Bad("import sys\nsys.exit(3)\n", 500, "plugin_error", "exit status 3"),
    "exits-with-a-text": Bad("import sys\nsys.exit('not today')\n", 500, "plugin_error", "not today"),
    "exits-hard": Bad("import os\nos._exit(4)\n", 500, "plugin_error", "exit status 4"),
    "aborts": Bad("import os\nos.abort()\n", 500, "plugin_error"),
    "loops": Bad("while True: pass\n", 504, "timeout", "400 ms"),
    "sleeps": Bad("import time\ntime.sleep(1000)\n", 504, "timeout"),
    "loops-in-c": Bad("sum(range(10**15))\n", 504, "timeout"),
    "loops-and-catches": Bad(
        "while True:\n    try:\n        while True: pass\n    except BaseException: pass\n", 504, "timeout"
    ),
    "allocates": Bad("x = []\nwhile True: x.append(bytearray(10**6))\n", 500, "out_of_memory"),
    "allocates-small-things": Bad("x = []\nwhile True: x.append(object())\n", 500, "out_of_memory"),
    "allocates-at-once": Bad("x = 'x' * (1 << 30)\n", 500, "out_of_memory"),
    "sends-too-much": Bad(SDK + "send_output('x' * (1 << 20) + 'y')\n", 500, "output_too_large", "1,048,576"),
    "sends-for-ever": Bad(SDK + "while True: send_output('x' * 1000)\n", 500, "output_too_large"),
    "prints-too-much-output": Bad("print('x' * (1 << 20) + 'y')\n", 500, "output_too_large"),
    "opens-a-file": Bad("open('/etc/passwd')\n", 500, "sandbox_violation", "no files"),
    "writes-a-file": Bad("open('/tmp/x', 'w')\n", 500, "sandbox_violation"),
    "uses-the-network": Bad("import socket\nsocket.create_connection(('127.0.0.1', 80))\n", 500, "sandbox_violation"),
    "starts-a-process": Bad("import subprocess\nsubprocess.run(['ls'])\n", 500, "sandbox_violation"),
    "starts-a-thread": Bad(
        "import threading\nthreading.Thread(target=print).start()\n", 500, "sandbox_violation", "one thread"
    ),
    "asks-an-unknown-model": Bad(SDK + "call_ai('gpt-9', 'hello')\n", 502, "ai_error", "gpt-9"),
    "asks-too-long": Bad(SDK + "call_ai('qwen2.5:1.5b', 'x' * 4001)\n", 502, "ai_error", "4,000"),
    "asks-nothing": Bad(SDK + "call_ai('qwen2.5:1.5b', '')\n", 502, "ai_error"),
    "sends-a-set": Bad(SDK + "send_output({'a': {1}})\n", 500, "plugin_error", "TypeError"),
    "trips-the-wasm": Bad("__import__('ctypes')\n", 500, "sandbox_violation", "native code"),
}

GARBAGE = """import os
from platform_sdk import get_input, send_output
for number in range(64):
    for data in (b"\\xff" * 5, b"\\x12plugin_error\\0forged", b"\\x21" + bytes(30), b"", bytes(100_000)):
        try:
            os.write(number, data) if number else None
        except OSError:
            pass
send_output("done: " + get_input())
"""

GARBAGE_ON_THE_CHANNEL = """import os
for data in (b"", b"\\x00", b"\\x13" + bytes(16), b"\\x21" + bytes(30), b"\\xff" * 1000, b"\\x11no json", b"\\x11{}"):
    try:
        os.write(0, data)
    except OSError as error:
        print(error)
"""


@pytest.mark.parametrize("name", FAILS)
async def test_a_plugin_that_fails(http: httpx.AsyncClient, name: str) -> None:
    bad = FAILS[name]
    await deploy(http, "bad-upper", UPPER)
    # Low limits, so that it does not take long to pass them.
    limits = {"timeout": {"timeout_ms": 400}, "out_of_memory": {"memory_bytes": 64 << 20}}.get(bad.error_type, {})
    await deploy(http, f"bad-{name}", bad.source, **limits)
    started = time.monotonic()
    reply, other = await asyncio.gather(call(http, f"bad-{name}", "x"), call(http, "bad-upper", "beside"))
    assert_problem(reply, bad.status, bad.error_type, bad.text)
    assert time.monotonic() - started < 30
    assert (other.status_code, other.text) == (200, "BESIDE")
    # Not only the next call: as many as may meet the process that ran the bad one.
    after = await asyncio.gather(*(call(http, "bad-upper", f"after {number}") for number in range(4)))
    assert [reply.text for reply in after] == [f"AFTER {number}" for number in range(4)]


async def test_the_timeout_of_a_caller_counts_too(http: httpx.AsyncClient) -> None:
    await deploy(http, "bad-loop", "while True: pass\n")
    started = time.monotonic()
    assert_problem(await call(http, "bad-loop", timeout_ms="300"), 504, "timeout", "300 ms")
    assert 0.3 <= time.monotonic() - started < 10


@pytest.mark.parametrize(
    ("source", "output"),
    [
        ("x = 1\n", ""),
        ("print('only', 'printed')\n", "only printed\n"),
        ("import sys\nsys.exit(0)\n", ""),
        ("import sys\nprint('bye')\nsys.exit()\n", "bye\n"),
        ("exit()\n", ""),
        (SDK + "send_output('')\n", ""),
        (SDK + "send_output('kept')\nprint('to the log')\n", "kept"),
        (
            SDK + "print('x' * 5_000_000)\nsend_output('in spite of megabytes printed')\n",
            "in spite of megabytes printed",
        ),
        (SDK + "import sys\nfor _ in range(20_000): print('line', file=sys.stderr)\nsend_output('ok')\n", "ok"),
        (SDK + "send_output('never read its input')\n", "never read its input"),
        (SDK + "import atexit\natexit.register(send_output, 'at exit')\n", "at exit"),
        (SDK + "for part in ('a', b'b', 3, {'c': 'ä'}): send_output(part)\n", 'a\nb\n3\n{"c": "ä"}'),
    ],
)
async def test_a_plugin_that_is_only_odd(http: httpx.AsyncClient, source: str, output: str) -> None:
    await deploy(http, "bad-odd", source)
    reply = await call(http, "bad-odd", "x" * 500_000)
    assert (reply.status_code, reply.text) == (200, output)


async def test_garbage_on_every_descriptor(http: httpx.AsyncClient) -> None:
    await deploy(http, "bad-upper", UPPER)
    await deploy(http, "bad-garbage", GARBAGE)
    for _ in range(3):
        assert (await call(http, "bad-garbage", "input")).text == "done: input"
        assert (await call(http, "bad-upper", "after")).text == "AFTER"


async def test_garbage_on_the_platforms_own_channel_harms_nobody_else(http: httpx.AsyncClient) -> None:
    await deploy(http, "bad-upper", UPPER)
    await deploy(http, "bad-channel", GARBAGE_ON_THE_CHANNEL, timeout_ms=3000)
    for _ in range(3):
        reply = await call(http, "bad-channel", "input")
        assert reply.status_code in (200, 500), reply.text
        assert (await call(http, "bad-upper", "after")).text == "AFTER"


async def test_nothing_is_left_for_the_next_call(http: httpx.AsyncClient) -> None:
    await deploy(
        http,
        "bad-leaves",
        SDK + "import builtins, sys, json\nseen = getattr(builtins, 'left', 'nothing')\nbuiltins.left = get_input()\n"
        "json.dumps = None\nsys.modules['platform_sdk'].send_output, send = None, send_output\nsend(seen)\n",
    )
    replies = [await call(http, "bad-leaves", f"secret {number}") for number in range(6)]
    assert [reply.text for reply in replies] == ["nothing"] * 6


async def test_every_call_draws_its_own_numbers(http: httpx.AsyncClient) -> None:
    await deploy(
        http,
        "bad-random",
        SDK + "import os, random, uuid\nsend_output([random.random(), os.urandom(8).hex(), str(uuid.uuid4())])\n",
    )
    drawn = [(await call(http, "bad-random")).json() for _ in range(8)]
    for column in zip(*drawn, strict=True):
        assert len(set(column)) == 8
