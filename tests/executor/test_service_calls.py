"""Calls over NATS, with one executor that is well."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest
from nats.aio.msg import Msg

from deploy.local.nats import NatsServer
from schemas import headers, subjects
from schemas.ai import GenerateRequest
from schemas.archive import pack
from schemas.digest import revision_digest
from schemas.errors import AIErrorCode, AIFailure, Busy, ErrorType, TooLarge, Unavailable, from_wire
from schemas.limits import Limits
from schemas.messages import CheckReply, CheckRequest, PluginRevision, SourceProblem
from tests.executor.cluster import Cluster, Executor, cluster, executor
from tests.executor.conftest import Engine

ECHO = "from platform_sdk import *\nsend_output(get_input_bytes())"


@pytest.fixture(scope="module")
async def alone(engine: Engine, folder: Path) -> AsyncIterator[tuple[Cluster, Executor]]:
    """A NATS server and one executor with two slots."""
    async with (
        NatsServer(folder / "nats").run() as server,
        cluster(server.url) as made,
        executor(server.url, engine, folder, slots=2, queue=2) as process,
    ):
        yield made, process


@pytest.fixture
async def here(alone: tuple[Cluster, Executor]) -> AsyncIterator[Cluster]:
    """The same, with nothing left over from the test before."""
    made, process = alone
    made.gateway.override = None
    made.gateway.asked.clear()
    made.broker.asked.clear()
    made.broker.answer = type(made.broker)(made.nc).answer
    yield made
    assert "Traceback" not in process.log, process.log


async def test_a_plain_call_gets_one_reply_with_all_that_is_known_in_its_headers(here: Cluster) -> None:
    made = await here.gateway.deploy("echo", ECHO)
    data = bytes(range(256)) * 100
    reply = await here.call("echo", data)
    assert reply.body == data
    assert reply.error is None
    assert reply.final
    assert reply.headers[headers.REVISION] == made.digest
    assert reply.headers[headers.EXECUTION_ID]
    assert reply.headers[headers.EXECUTOR]
    assert headers.AI_CALLS not in reply.headers
    phases = headers.get_phases(reply.headers)
    assert set(phases) == set(headers.PHASES)
    assert 0 < phases["run"] < 10_000_000


async def test_the_callers_id_comes_back_and_is_in_the_record(here: Cluster) -> None:
    made = await here.gateway.deploy("echo", "print('logged')\n" + ECHO)
    reply = await here.call("echo", b"four", execution_id="my-id_1", caller="someone")
    assert reply.headers[headers.EXECUTION_ID] == "my-id_1"
    event = await here.record(reply.headers[headers.EXECUTION_ID])
    assert (event.execution_id, event.plugin, event.caller, event.revision) == (
        "my-id_1",
        "echo",
        "someone",
        made.digest,
    )
    assert (event.success, event.error_type, event.log) == (True, None, "logged\n")
    assert (event.input_bytes, event.output_bytes, event.ai_calls) == (4, 4, 0)
    assert event.executor == reply.headers[headers.EXECUTOR]
    assert event.peak_memory_bytes > 1_000_000


@pytest.mark.parametrize(
    ("source", "error_type", "status", "said"),
    [
        (
            "x = 1\n\n1/0",
            "plugin_error",
            500,
            "line 3, in <module>\n    1/0\n    ~^~\nZeroDivisionError: division by zero",
        ),
        ("open('/etc/passwd')", "sandbox_violation", 500, "The sandbox has no files, no network and no processes."),
        ("bytearray(10**9)", "out_of_memory", 500, "MemoryError"),
        ("print('x' * 2_000_000)", "output_too_large", 500, "over its limit of 1,048,576 bytes"),
        ("from platform_sdk import *\ncall_ai('m', 'x' * 5000)", "ai_error", 502, "at most 4,000 are allowed"),
    ],
)
async def test_an_error_is_told_as_micro_services_tell_theirs(
    here: Cluster, source: str, error_type: str, status: int, said: str
) -> None:
    await here.gateway.deploy("fails", source)
    reply = await here.call("fails")
    assert reply.headers[headers.ERROR_TYPE] == error_type
    assert reply.headers[headers.SERVICE_ERROR_CODE] == str(status)
    assert reply.headers[headers.SERVICE_ERROR].isascii()
    assert "\n" not in reply.headers[headers.SERVICE_ERROR]
    assert said in reply.body.decode()
    assert reply.final
    event = await here.record(reply.headers[headers.EXECUTION_ID])
    assert (event.success, event.error_type) == (False, error_type)


@pytest.mark.parametrize(
    "given",
    [
        {"timeout_ms": "soon"}, {"timeout_ms": "0"}, {"timeout_ms": "-1"}, {"timeout_ms": "1e3"}, {"timeout_ms": "٣"},
        {"timeout_ms": "9" * 30}, {"execution_id": "a b"}, {"execution_id": "x" * 65}, {"execution_id": "../x"},
        {"revision": "latest"}, {"revision": "A" * 64}, {"heartbeat_ms": "1"}, {"heartbeat_ms": "x"},
    ],
    ids=str,
)  # fmt: skip
async def test_a_header_that_can_not_be_used_is_refused_by_name(here: Cluster, given: dict[str, str]) -> None:
    await here.gateway.deploy("echo", ECHO)
    reply = await here.call("echo", b"", **given)
    (name,) = given
    assert reply.headers[headers.ERROR_TYPE] == "invalid_input"
    assert getattr(headers, name.upper()) in reply.body.decode()
    assert here.gateway.asked["echo"] == 0


@pytest.mark.parametrize("name", ["-x", "_x", "x" * 65, "a$b", "ü"])
async def test_a_name_that_no_plugin_can_have_is_refused(here: Cluster, name: str) -> None:
    msg = await here.nc.request(f"wasmforge.fn.{name}", b"", timeout=10)
    assert (msg.headers or {})[headers.ERROR_TYPE] == "invalid_input"


async def test_an_unknown_plugin_is_not_found(here: Cluster) -> None:
    reply = await here.call("nobody")
    assert reply.headers[headers.ERROR_TYPE] == "not_found"
    assert reply.headers[headers.SERVICE_ERROR_CODE] == "404"


async def test_a_gateways_answer_that_is_wrong_is_ours(here: Cluster) -> None:
    good = PluginRevision("strange", revision_digest("x = 1", Limits()), "x = 1")
    for answer, said in (
        (b"{}", "can't be read"),
        (b"\xff", "can't be read"),
        (msgspec.json.encode(msgspec.structs.replace(good, name="other")), "with another one"),
        (msgspec.json.encode(msgspec.structs.replace(good, source="x = 2")), "with another one"),
        (msgspec.json.encode(msgspec.structs.replace(good, archive=pack({"plugin.py": b"x = 1"}))), "with another one"),
        (msgspec.json.encode(msgspec.structs.replace(good, archive=b"PK")), "archive can't be read"),
    ):
        here.gateway.override = lambda _, answer=answer: answer
        reply = await here.call("strange")
        assert reply.headers[headers.ERROR_TYPE] == "runtime_error"
        assert said in reply.body.decode()
    here.gateway.override = lambda _: Busy("wait a little")
    reply = await here.call("strange")
    assert (reply.headers[headers.ERROR_TYPE], reply.headers[headers.RETRY_AFTER]) == ("busy", "1")


async def test_input_over_its_limit_is_refused_with_both_numbers(here: Cluster) -> None:
    await here.gateway.deploy("small", ECHO, input_bytes=10)
    assert (await here.call("small", b"x" * 10)).body == b"x" * 10
    reply = await here.call("small", b"x" * 11)
    assert reply.headers[headers.ERROR_TYPE] == "too_large"
    assert reply.headers[headers.SERVICE_ERROR_CODE] == "413"
    assert reply.body.decode() == str(TooLarge("the input", size_bytes=11, limit_bytes=10))


async def test_output_larger_than_nats_carries_is_refused_and_not_lost(here: Cluster) -> None:
    await here.gateway.deploy("large", "print('x' * 9_000_000)", output_bytes=10_000_000)
    reply = await here.call("large")
    assert reply.headers[headers.ERROR_TYPE] == "output_too_large"
    assert "NATS here carries at most" in reply.body.decode()


async def test_the_callers_time_counts_if_it_is_less_than_the_plugins(here: Cluster) -> None:
    await here.gateway.deploy("slow", "while True: pass", timeout_ms=20_000)
    reply = await here.call("slow", timeout_ms=200)
    assert reply.headers[headers.ERROR_TYPE] == "timeout"
    assert reply.headers[headers.SERVICE_ERROR_CODE] == "504"
    assert "within the 200 ms that its caller gave it" in reply.body.decode()
    await here.gateway.deploy("slow", "while True: pass", timeout_ms=150)
    reply = await here.call("slow", timeout_ms=20_000)
    assert "within its 150 ms" in reply.body.decode()


async def test_a_new_revision_runs_from_the_first_call_after_it_was_told(here: Cluster) -> None:
    for number in range(20):
        made = await here.gateway.deploy("changing", f"print({number})")
        reply = await here.call("changing")
        assert (reply.body, reply.headers[headers.REVISION]) == (b"%d\n" % number, made.digest)
    await here.gateway.delete("changing")
    assert (await here.call("changing")).headers[headers.ERROR_TYPE] == "not_found"


async def test_a_pinned_revision_runs_whatever_the_current_one_is(here: Cluster) -> None:
    old = await here.gateway.deploy("pinned", "print('old')")
    await here.gateway.deploy("pinned", "print('new')")
    assert (await here.call("pinned")).body == b"new\n"
    reply = await here.call("pinned", revision=old.digest)
    assert (reply.body, reply.headers[headers.REVISION]) == (b"old\n", old.digest)
    assert (await here.call("pinned", revision="0" * 64)).headers[headers.ERROR_TYPE] == "not_found"
    other = await here.gateway.deploy("other", "print('other')")
    assert (await here.call("pinned", revision=other.digest)).headers[headers.ERROR_TYPE] == "not_found"


async def test_a_plugin_is_asked_for_once_by_many_calls(here: Cluster) -> None:
    await here.gateway.deploy("popular", ECHO)
    replies = await asyncio.gather(*(here.call("popular", b"%d" % n) for n in range(4)))
    assert [reply.body for reply in replies] == [b"0", b"1", b"2", b"3"]
    assert (await here.call("popular", b"again")).body == b"again"
    assert here.gateway.asked["popular"] == 1


async def test_a_known_plugin_runs_while_no_gateway_is_there_and_an_unknown_one_says_so(here: Cluster) -> None:
    await here.gateway.deploy("known", ECHO)
    assert (await here.call("known", b"1")).body == b"1"
    await here.gateway.stop()
    try:
        assert (await here.call("known", b"2")).body == b"2"
        reply = await here.call("unknown")
        assert reply.headers[headers.ERROR_TYPE] == "unavailable"
        assert reply.headers[headers.SERVICE_ERROR_CODE] == "503"
        assert "no gateway answers" in reply.body.decode()
    finally:
        await here.gateway.start()
    assert (await here.call("unknown")).headers[headers.ERROR_TYPE] == "not_found"


async def test_source_is_checked_and_not_run(here: Cluster) -> None:
    open_bracket = SourceProblem("'(' was never closed", 1, 5)
    for source, expected in (
        ("x = 1", CheckReply(True)),
        ("x = (", CheckReply(False, open_bracket.message, 1, 5, [open_bracket])),
    ):
        msg = await here.nc.request(subjects.CHECK, msgspec.json.encode(CheckRequest(source)), timeout=20)
        assert msgspec.json.decode(msg.data, type=CheckReply) == expected
    for body, error_type in (
        (b"", "invalid_input"),
        (b"[]", "invalid_input"),
        (msgspec.json.encode(CheckRequest("x" * 1_000_001)), "too_large"),
    ):
        msg = await here.nc.request(subjects.CHECK, body, timeout=20)
        assert (msg.headers or {})[headers.ERROR_TYPE] == error_type


ASK = "from platform_sdk import *\nsend_output(call_ai('m', get_input()))"
CATCH = """
from platform_sdk import *
try:
    send_output(call_ai("m", "p"))
except AIError as error:
    send_output({"code": error.code, "text": str(error)})
"""


async def test_a_models_answer_reaches_the_plugin(here: Cluster) -> None:
    await here.gateway.deploy("ask", ASK + "\nsend_output([m['name'] for m in list_models()])")
    reply = await here.call("ask", "häh?\nline", execution_id="abc", caller="me", timeout_ms=15_000)
    assert reply.body.decode() == 'm says häh?\nline\n["m"]'
    assert reply.headers[headers.AI_CALLS] == "1"
    phases = headers.get_phases(reply.headers)
    assert 0 < phases["ai_wait"] <= phases["run"]
    (asked,) = here.broker.asked
    assert asked.headers is not None
    assert (asked.headers[headers.EXECUTION_ID], asked.headers[headers.CALLER]) == ("abc", "me")
    assert 0 < int(asked.headers[headers.TIMEOUT_MS]) <= 15_000


@pytest.mark.parametrize("code", list(AIErrorCode))
async def test_every_code_of_a_broker_reaches_the_plugin_and_its_caller(here: Cluster, code: AIErrorCode) -> None:
    async def refuse(request: GenerateRequest, msg: Msg) -> str:
        raise AIFailure("said the broker", code)

    here.broker.answer = refuse
    await here.gateway.deploy("catch", CATCH)
    assert json.loads((await here.call("catch")).body) == {"code": code, "text": "said the broker"}
    await here.gateway.deploy("ask", ASK)
    reply = await here.call("ask", "p")
    error = reply.error
    assert isinstance(error, AIFailure)
    assert error.code == code
    assert reply.headers[headers.SERVICE_ERROR_CODE] == "502"
    assert error.message.endswith("platform_sdk.AIError: said the broker")


STREAMED = CATCH.replace('call_ai("m", "p")', '"".join(stream_ai("m", "p"))')
WAYS = pytest.mark.parametrize(("source", "said"), [(CATCH, b"m says p"), (STREAMED, b"once upon a time")])


@WAYS
async def test_without_a_broker_a_model_call_fails_at_once(here: Cluster, source: str, said: bytes) -> None:
    await here.gateway.deploy("catch", source)
    await here.broker.stop()
    try:
        value = json.loads((await here.call("catch", seconds=5)).body)
        assert value == {"code": "unavailable", "text": "no AI broker is running"}
    finally:
        await here.broker.start()
    assert (await here.call("catch")).body == said


@WAYS
async def test_a_broker_that_speaks_nonsense_is_a_broken_reply(here: Cluster, source: str, said: bytes) -> None:
    async def nonsense(msg: Msg) -> None:
        await msg.respond(b"nonsense")

    subscription = await here.nc.subscribe(subjects.AI_GENERATE, cb=nonsense)
    await here.broker.stop()
    try:
        await here.gateway.deploy("catch", source)
        assert json.loads((await here.call("catch")).body)["code"] == "broken_reply"
    finally:
        await subscription.unsubscribe()
        await here.broker.start()


async def test_errors_of_every_type_survive_the_wire(here: Cluster) -> None:
    for error_type in ErrorType:
        assert from_wire(error_type, "text").error_type == error_type
    assert isinstance(from_wire("unavailable", "x"), Unavailable)


async def test_micro_tools_see_the_executor(here: Cluster) -> None:
    await here.gateway.deploy("fails", "1/0")
    await here.gateway.deploy("echo", ECHO)
    ping = json.loads((await here.nc.request("$SRV.PING.wasmforge-executor", timeout=10)).data)
    assert (ping["type"], ping["name"]) == ("io.nats.micro.v1.ping_response", "wasmforge-executor")
    info = json.loads((await here.nc.request(f"$SRV.INFO.wasmforge-executor.{ping['id']}", timeout=10)).data)
    assert {endpoint["subject"] for endpoint in info["endpoints"]} >= {subjects.FUNCTIONS, subjects.CHECK}
    assert info["metadata"]["sandbox"] == "wasmedge"

    async def stats() -> dict[str, int]:
        data = json.loads((await here.nc.request("$SRV.STATS.wasmforge-executor", timeout=10)).data)
        (call,) = [endpoint for endpoint in data["endpoints"] if endpoint["subject"] == subjects.FUNCTIONS]
        return call

    before = await stats()
    await here.call("echo")
    await here.call("fails")
    after = await stats()
    assert after["num_requests"] - before["num_requests"] == 2
    assert after["num_errors"] - before["num_errors"] == 1
    assert after["processing_time"] > before["processing_time"]
