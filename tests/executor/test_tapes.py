"""Recorded calls: the tape holds all that a call was given, and running it again gives the same, byte for byte."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from nats.aio.msg import Msg

from deploy.local import ports
from deploy.local.nats import NatsServer, binary
from deploy.places import PROJECT
from executor.pool import Pool
from executor.replay.run import born, replay_in
from executor.sandbox.world import MONOTONIC, PROCESS_CPU, REALTIME, Start
from executor.sandbox.world import Tape as OnTape
from executor.settings import Settings
from schemas import headers, subjects
from schemas.ai import GenerateRequest
from schemas.digest import revision_digest
from schemas.errors import AIErrorCode, AIFailure, InvalidInput
from schemas.limits import Limits
from schemas.messages import PluginRevision
from schemas.tapes import STREAM, Exchange, Replayed, Tape, TapeStart, bytes_of, read_tape, text_of, write_tape
from tests.executor.cluster import Cluster, cluster, executor
from tests.executor.conftest import Engine


@pytest.fixture(scope="module")
async def here(engine: Engine, folder: Path) -> AsyncIterator[Cluster]:
    async with (
        NatsServer(folder / "nats").run() as server,
        cluster(server.url) as made,
        executor(server.url, engine, folder, slots=4),
    ):
        yield made


@pytest.fixture(scope="module")
def settings(engine: Engine) -> Settings:
    return Settings.read({"WASMFORGE_WASMEDGE": str(engine.wasmedge), "WASMFORGE_ENGINES": str(engine.engines)})


class Player:
    """Replays in sandboxes that tapes of the same birth share, which saves a second each."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._pools: dict[bytes, Pool] = {}

    async def __call__(self, tape: Tape) -> Replayed:
        """Run a tape again."""
        pool = self._pools.get(tape.birth.seed)
        if pool is None:
            pool = self._pools[tape.birth.seed] = born(tape, self.settings)
        return await replay_in(pool, tape)

    async def close(self) -> None:
        """End all sandboxes."""
        for pool in self._pools.values():
            await pool.close()


@pytest.fixture(scope="module")
async def replay(settings: Settings) -> AsyncIterator[Player]:
    player = Player(settings)
    yield player
    await player.close()


async def _tape(here: Cluster, execution_id: str) -> Tape:
    message = await here.nc.jetstream().get_last_msg(STREAM, subjects.tape(execution_id))
    assert message.data is not None
    return read_tape(message.data)


async def _recorded(here: Cluster, source: str, data: bytes | str = b"", **limits: int) -> Tape:
    await here.gateway.deploy("recorded", source, **limits)
    reply = await here.call("recorded", data, record=1)
    assert reply.headers[headers.TAPE] == "kept"
    return await _tape(here, reply.headers[headers.EXECUTION_ID])


def _same(tape: Tape, replayed: Replayed) -> None:
    assert replayed.strayed is None
    assert replayed.unasked == 0
    assert (replayed.output, replayed.log, replayed.ending) == (tape.output, tape.log, tape.ending)
    assert replayed.exchanges == tape.exchanges


CHANCE_AND_TIME = """
import datetime, os, random, secrets, sys, time, uuid
from platform_sdk import *
print(time.time(), time.monotonic(), time.process_time(), datetime.datetime.now())
time.sleep(0.02)
print(time.time(), time.perf_counter(), random.random(), os.urandom(8), secrets.token_hex(), uuid.uuid1(), uuid.uuid4())
print({str(n) for n in range(50)}, hash("x"), [id(object()) for _ in range(3)], {object() for _ in range(5)})
print("to the log", file=sys.stderr)
send_output(call_ai("m", "a " + str(random.random())))
send_output(str(time.time()))
try:
    call_ai("m", "fail")
except AIError as error:
    send_output(repr(error))
send_output(get_input_bytes())
1 / 0
"""


async def test_a_call_is_the_same_again_byte_for_byte(here: Cluster, replay: Player) -> None:
    async def answer(request: GenerateRequest, msg: Msg) -> str:
        if request.prompt == "fail":
            raise AIFailure("broken", AIErrorCode.REFUSED)
        return f"says {request.prompt} ☃"

    here.broker.answer = answer
    tape = await _recorded(here, CHANCE_AND_TIME, b"in\xff\0put")
    assert bytes_of(tape.input) == b"in\xff\0put"
    assert tape.plugin.source.strip() == CHANCE_AND_TIME.strip()
    assert [exchange.request["operation"] for exchange in tape.exchanges] == ["generate", "generate"]
    assert tape.exchanges[0].answer["value"].startswith("says a 0.")
    assert tape.exchanges[1].answer["code"] == "refused"
    assert all(exchange.waited_us > 0 for exchange in tape.exchanges)
    assert tape.ending is not None
    assert "ZeroDivisionError" in tape.ending.error
    asked = len(here.broker.asked)
    _same(tape, await replay(tape))
    # Also from a file that somebody has formatted, by another process.
    pretty = msgspec.json.format(write_tape(tape), indent=2)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "executor.replay", stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(PROJECT), "WASMFORGE_WASMEDGE": str(replay.settings.wasmedge),
                          "WASMFORGE_ENGINES": str(replay.settings.engines), "WASMFORGE_NATS": "nats://127.0.0.1:1"},
    )  # fmt: skip
    out, _ = await process.communicate(pretty)
    _same(tape, msgspec.json.decode(out, type=Replayed))
    assert len(here.broker.asked) == asked


async def test_every_kind_of_request_is_on_tape(here: Cluster, replay: Player) -> None:
    source = """
    import time
    from platform_sdk import *
    for piece in stream_ai("m", "one"):
        send_chunk(piece)
    send_output(map_ai("m", ["a", "b", "c"]))
    send_output(chat("m", [{"role": "user", "content": "hello"}]))
    send_output(embed("m", ["text"]))
    send_output(list_models())
    stream = stream_ai("m", "left in the middle")
    send_output(next(stream))
    stream.close()
    send_output(time.time())
    """
    tape = await _recorded(here, source)
    assert tape.ending is None
    operations = {exchange.request["operation"] for exchange in tape.exchanges}
    assert operations >= {"stream", "next", "map", "chat", "embed", "models"}
    _same(tape, await replay(tape))


async def test_two_calls_differ_and_two_replays_do_not(here: Cluster, replay: Player) -> None:
    source = "import random, time\nprint(random.random(), time.time())"
    first, second = await _recorded(here, source), await _recorded(here, source)
    assert first.output != second.output
    assert [(await replay(second)).output for _ in range(2)] == [second.output] * 2


async def test_a_call_that_is_not_recorded_leaves_no_tape(here: Cluster) -> None:
    await here.gateway.deploy("plain", "print(1)")
    reply = await here.call("plain", record=0)
    assert headers.TAPE not in reply.headers
    assert reply.body == b"1\n"


async def test_a_source_that_asks_for_something_else_is_told_what(here: Cluster, replay: Player) -> None:
    source = "from platform_sdk import *\nsend_output(call_ai('m', 'one'))\nsend_output(call_ai('m', 'two'))"
    tape = await _recorded(here, source)

    async def with_source(changed: str) -> Replayed:
        digest = revision_digest(changed, tape.plugin.limits)
        plugin = msgspec.structs.replace(tape.plugin, source=changed, digest=digest)
        return await replay(msgspec.structs.replace(tape, plugin=plugin))

    other = await with_source(source.replace("two", "three"))
    assert other.strayed is not None
    assert "request 2 is not the one on the tape" in other.strayed
    assert '"prompt":"three"' in other.strayed
    assert '"prompt":"two"' in other.strayed
    more = await with_source(source + "\nlist_models()")
    assert more.strayed is not None
    assert "request 3 is not on the tape" in more.strayed
    less = await with_source(source.splitlines()[0] + "\nsend_output(call_ai('m', 'one'))")
    assert (less.strayed, less.unasked, less.ending) == (None, 1, None)
    broken = await with_source("if\n")
    assert broken.ending is not None
    assert broken.ending.error_type == "plugin_error"


async def test_a_tape_that_was_written_by_hand(here: Cluster, replay: Player) -> None:
    tape = await _recorded(here, "from platform_sdk import *\nsend_output(call_ai('m', get_input()))", "any")
    written = msgspec.structs.replace(tape, exchanges=[Exchange(answer={"ok": True, "value": "by hand"})])
    assert (await replay(written)).output == "by hand"


async def test_a_call_that_ran_out_of_time(here: Cluster, replay: Player) -> None:
    source = "from platform_sdk import *\nimport time\nsend_output('before')\ntime.sleep(3600)\nsend_output('after')"
    tape = await _recorded(here, source, timeout_ms=300)
    assert tape.ending is not None
    assert tape.ending.error_type == "timeout"
    replayed = await replay(tape)
    assert replayed.ending == tape.ending


async def test_sleeping_is_not_waited_for_again(here: Cluster, replay: Player) -> None:
    source = "import time\nbegan = time.time()\ntime.sleep(1.5)\nprint(time.time() - began)"
    tape = await _recorded(here, source)
    assert float(bytes_of(tape.output)) == pytest.approx(1.5, abs=0.01)
    _same(tape, await replay(tape))


async def test_a_call_whose_answer_never_came(here: Cluster, replay: Player) -> None:
    async def never(request: GenerateRequest, msg: Msg) -> str:
        await asyncio.sleep(3600)
        return ""

    here.broker.answer = never
    tape = await _recorded(here, "from platform_sdk import *\nprint('x')\ncall_ai('m', 'p')", timeout_ms=500)
    assert [exchange.answer for exchange in tape.exchanges] == [None]
    replayed = await replay(tape)
    assert (replayed.ending, replayed.log) == (tape.ending, tape.log)


async def test_a_tape_that_is_too_long_is_not_kept_and_the_call_answers(here: Cluster) -> None:
    source = "from platform_sdk import *\nsend_output(get_input_bytes())"
    await here.gateway.deploy("long", source, input_bytes=3_000_000, output_bytes=3_000_000)
    reply = await here.call("long", b"\xff" * 3_000_000, record=1)
    assert len(reply.body) == 3_000_000
    assert reply.headers[headers.TAPE] == "lost: it is over 7,340,032 bytes"


async def test_a_recorded_call_answers_where_there_is_no_jetstream(engine: Engine, folder: Path) -> None:
    port = ports.find_free()
    server = await asyncio.create_subprocess_exec(binary(), "-a", "127.0.0.1", "-p", str(port), "-l", "/dev/null")
    url = f"nats://127.0.0.1:{port}"
    try:
        async with cluster(url) as here, executor(url, engine, folder, slots=1) as process:
            await here.gateway.deploy("quick", "print('well')")
            reply = await here.call("quick", record=1)
            assert reply.body == b"well\n"
            assert reply.headers[headers.TAPE].startswith("lost: JetStream does not keep it")
            assert "is not kept" in process.log
    finally:
        server.terminate()
        await server.wait()


async def test_others_compute_while_a_store_that_hangs_is_waited_for(engine: Engine, folder: Path) -> None:
    async with (
        NatsServer(folder / "nats-hangs").run() as server,
        cluster(server.url) as made,
        executor(server.url, engine, folder, slots=1),
    ):
        # It takes the tape, as JetStream would, and never says so.
        silent = await made.nc.subscribe(subjects.TAPES)
        await made.nc.flush()
        await made.gateway.deploy("echo", "from platform_sdk import *\nsend_output(get_input_bytes())")
        recorded = asyncio.create_task(made.call("echo", b"recorded", record=1))
        await silent.next_msg(10)
        assert (await made.call("echo", b"other")).body == b"other"
        assert not recorded.done()
        reply = await recorded
        assert reply.body == b"recorded"
        assert reply.headers[headers.TAPE].startswith("lost: JetStream does not keep it")


async def test_an_executor_without_a_sandbox_records_nothing(nats_url: str, folder: Path) -> None:
    nowhere = Engine(Path("/nowhere"), Path("/nowhere"), Path("/nowhere"))
    async with cluster(nats_url) as here, executor(nats_url, nowhere, folder, sandbox="insecure-subprocess"):
        await here.gateway.deploy("bare", "print(1)")
        reply = await here.call("bare", record=1)
        assert reply.error is not None
        assert "recorded only by an executor with a sandbox" in reply.error.message


def test_the_clock_of_a_tape() -> None:
    clock = OnTape(Start(1_000_000_000, bytes(32)), skip_ns=10**12)
    first, second = clock.now_ns(REALTIME), clock.now_ns(REALTIME)
    assert (first, second) == (1_000_001_000, 1_000_002_000)
    began, cpu = clock.now_ns(MONOTONIC), clock.now_ns(PROCESS_CPU)
    clock.sleep(5_000_000_000)
    clock.waited(7_000_000)
    assert clock.now_ns(MONOTONIC) - began == 5_007_000_000 + 2_000
    assert clock.now_ns(PROCESS_CPU) - cpu == 3_000 - 1_000
    assert clock.random(8) != clock.random(8)
    assert OnTape(Start(1, bytes(32))).random(8) == OnTape(Start(2, bytes(32))).random(8)


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"", "no tape"),
        (b"{}", "no tape"),
        (b'{"version": 2}', "version 2"),
        (b'{"version": 1}', "can't be read"),
        (b"[" * 100_000, "no tape"),
        (b'{"deep": ' + b"[" * 100_000, "no tape"),
        (b'{"version": 1, "exchanges": ' + b"[" * 100_000, "no tape"),
    ],
)
def test_what_is_no_tape_is_refused(data: bytes, text: str) -> None:
    with pytest.raises(InvalidInput, match=text):
        read_tape(data)


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"plugin": {"limits": {"timeout_ms": 10**30}}}, "timeout_ms"),
        ({"plugin": {"limits": {"memory_bytes": 10**12}}}, "memory_bytes"),
        ({"plugin": {"limits": {"memory_bytes": 1}}}, "memory_bytes"),
        ({"plugin": {"limits": {"output_bytes": -1}}}, "output_bytes"),
        ({"birth": {"time_ns": -1}}, "time since 1970"),
        ({"start": {"time_ns": 2**64}}, "time since 1970"),
        ({"start": {"seed": ""}}, "32 bytes"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_a_tape_that_cannot_have_been_recorded_is_refused(changed: dict[str, dict[str, object]], text: str) -> None:
    start = TapeStart(1, bytes(32))
    tape = msgspec.to_builtins(Tape(plugin=PluginRevision("p", "0" * 64, "x", Limits()), birth=start, start=start))
    assert read_tape(msgspec.json.encode(tape))
    for name, values in changed.items():
        tape[name] |= values
    with pytest.raises(InvalidInput, match=text):
        read_tape(msgspec.json.encode(tape))


@pytest.mark.parametrize("data", [b"", "grüße\n".encode(), b"\xff\0", bytes(range(256))])
def test_bytes_on_a_tape(data: bytes) -> None:
    assert bytes_of(text_of(data)) == data
