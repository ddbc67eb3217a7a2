"""What may go wrong on the way through NATS: lost executors, lost connections, replies that make no sense."""

import asyncio

import nats
import pytest
from nats.aio.msg import Msg

from gateway import inbox as inbox_module
from gateway.settings import Settings
from schemas import headers, subjects
from schemas.limits import CEILINGS
from tests.gateway.conftest import NO_DATABASE, NOWHERE, Running, running_gateway, until
from tests.gateway.scripted import Call, Executor, scripted_executor
from tests.support.servers import RestartableNats


async def test_an_executor_that_falls_silent_is_gone(
    calls: Running, executor: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox_module, "SILENCE_SECONDS", 0.5)

    async def die(call: Call) -> None:
        await call.event(headers.EVENT_HEARTBEAT)

    executor.script = die
    async with asyncio.timeout(3):
        reply = await calls.http.post("/fn/f", content=b"")
    assert reply.status_code == 500
    assert reply.json()["error_type"] == "runtime_error"
    assert "the executor that ran this call is gone" in reply.json()["error"]


async def test_heartbeats_keep_a_call_alive(
    calls: Running, executor: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox_module, "SILENCE_SECONDS", 0.3)

    async def slowly(call: Call) -> None:
        for _ in range(10):
            await asyncio.sleep(0.1)  # the time that the test is about
            await call.event(headers.EVENT_HEARTBEAT)
        await call.reply(b"done")

    executor.script = slowly
    reply = await calls.http.post("/fn/f", content=b"")
    assert (reply.status_code, reply.text) == (200, "done")


async def test_the_grace_after_the_time_is_over(calls: Running, executor: Executor) -> None:
    async def alive_for_ever(call: Call) -> None:
        while True:
            await call.event(headers.EVENT_HEARTBEAT)
            await asyncio.sleep(0.1)  # a heartbeat's rhythm

    executor.script = alive_for_ever
    loop = asyncio.get_running_loop()
    started = loop.time()
    reply = await calls.http.post("/fn/f", content=b"", headers={"Wasmforge-Timeout-Ms": "100"})
    assert 2.0 <= loop.time() - started < 3.5
    assert reply.status_code == 504
    assert reply.json()["error_type"] == "timeout"


HOSTILE: list[tuple[bytes, dict[str, str] | None]] = [
    (b"plain", None),
    (b"", {}),
    (b"x", {headers.phase_header("run"): "9" * 5000}),
    (b"x", {headers.phase_header("run"): "-1", headers.phase_header("queue"): "1e9", headers.AI_CALLS: "many more"}),
    (b"x", {headers.REVISION: "a\tb", headers.EXECUTOR: "ü" * 50, headers.AI_CALLS: ""}),
    (b"x", {headers.EXECUTOR: "x" * 5000}),
    (b"x", {headers.ERROR_TYPE: "no such type"}),
    (b"\xff\xfe", {headers.ERROR_TYPE: "plugin_error"}),
    (b"", {headers.ERROR_TYPE: "ai_error", headers.ERROR_CODE: "no such code"}),
    (b"", {headers.SERVICE_ERROR_CODE: "abc"}),
    (b"", {headers.ERROR_TYPE: "busy", headers.RETRY_AFTER: "9" * 5000}),
    (b"", {headers.ERROR_TYPE: "busy", headers.RETRY_AFTER: "soon"}),
    (b"x", {"Status": "503"}),
    (b"x", {"Status": "what"}),
    (b"x", {headers.EVENT: "no such event"}),
    (b"x", {headers.EVENT: headers.EVENT_OUTPUT, headers.FINAL: "1"}),
    (b"<b>", {"Content-Type": "text/html", "Set-Cookie": "a=b"}),
]


@pytest.mark.parametrize(("body", "made"), HOSTILE, ids=[str(number) for number in range(len(HOSTILE))])
@pytest.mark.parametrize("accept", ["*/*", "text/event-stream"])
async def test_replies_that_make_no_sense_break_nothing(
    calls: Running, executor: Executor, body: bytes, made: dict[str, str] | None, accept: str
) -> None:
    async def nonsense(call: Call) -> None:
        await call.raw(body, made)
        await call.raw(body, made)

    executor.script = nonsense
    async with asyncio.timeout(2):
        reply = await calls.http.post("/fn/f", content=b"", headers={"Accept": accept})
    assert reply.status_code in (200, 500, 502, 503)
    assert "set-cookie" not in reply.headers
    assert not reply.headers["content-type"].startswith("text/html")
    assert calls.gateway.inbox.waiting == 0


async def test_replies_after_the_end_are_dropped(calls: Running, executor: Executor) -> None:
    async def twice(call: Call) -> None:
        await call.reply(b"first")
        await call.reply(b"second")

    executor.script = twice
    assert [(await calls.http.post("/fn/f", content=b"")).text for _ in range(3)] == ["first"] * 3


async def test_nats_lost_during_a_call_fails_it_at_once_and_comes_back(own_nats: RestartableNats) -> None:
    url = own_nats.server.url
    async with (
        running_gateway(Settings(nats=url, database=NO_DATABASE)) as calls,
        scripted_executor(url) as executor,
    ):

        async def never(_: Call) -> None:
            return None

        executor.script = never
        plain = asyncio.create_task(calls.http.post("/fn/f", content=b""))
        stream = asyncio.create_task(calls.http.post("/fn/f", content=b"", headers={"Accept": "text/event-stream"}))
        while len(executor.calls) < 2:
            await executor.called.wait()
            executor.called.clear()
        await own_nats.kill()
        async with asyncio.timeout(2):
            for reply in (await plain, await stream):
                assert reply.status_code == 503
                assert reply.json()["error_type"] == "unavailable"
                assert "NATS" in reply.json()["error"]
        # Nothing is kept back to be sent later: refused at once, and nobody is called when NATS is back.
        await calls.until("nats", wanted=False)
        async with asyncio.timeout(1):
            assert (await calls.http.post("/fn/refused", content=b"")).status_code == 503
        executor.calls.clear()

        async def echo(call: Call) -> None:
            await call.reply(b"back")

        executor.script = echo
        await own_nats.start()
        await calls.until("nats")
        async with asyncio.timeout(10):
            while (reply := await calls.http.post("/fn/again", content=b"")).status_code != 200:
                assert reply.status_code == 503
        assert reply.text == "back"
        assert {call.plugin for call in executor.calls} == {"again"}


async def test_a_gateway_without_nats_answers_at_once(database_dsn: str) -> None:
    settings = Settings(nats=NOWHERE, database=database_dsn)
    async with running_gateway(settings, wait=False) as running, asyncio.timeout(2):
        for path in ("/fn/f", "/api/plugins/run"):
            reply = await running.http.post(path, data={"plugin_name": "f", "input_data": ""})
            assert reply.status_code == 503
            assert "NATS is away" in reply.text
            assert "retry-after" in reply.headers


async def test_a_connection_that_the_server_closes_for_good_is_made_anew(calls: Running, executor: Executor) -> None:
    client = calls.gateway.inbox.connection()
    # After an error of the protocol nats-py closes for good and never reconnects.
    await client._process_err("'unknown protocol operation'")
    await calls.until("nats", wanted=False)
    await calls.until("nats")
    assert calls.gateway.inbox.connection() is not client
    assert (await calls.http.post("/fn/echo", content=b"again")).text == "again"


async def test_a_body_larger_than_the_server_takes(own_nats_url: str, executor: Executor) -> None:
    settings = Settings(
        nats=own_nats_url,
        database=NO_DATABASE,
        ceilings=type(CEILINGS)(timeout_ms=1000, input_bytes=64 * 1024 * 1024),
    )
    async with running_gateway(settings) as running:
        limit = running.gateway.inbox.payload_limit()
        reply = await running.http.post("/fn/echo", content=b"x" * (limit + 1))
        assert reply.status_code == 413
        assert f"{limit + 1:,}" in reply.json()["error"]
        assert f"{limit:,}" in reply.json()["error"]
        long_headers = {"Wasmforge-Caller": "c" * 128, "Wasmforge-Revision": "a" * 64}
        reply = await running.http.post("/fn/echo", content=b"x" * limit, headers=long_headers)
        assert len(executor.calls) == 1
        assert len(executor.calls[0].input) == limit


async def test_a_gateway_that_was_stopped_itself_blames_nobody(calls: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    inbox = calls.gateway.inbox
    monkeypatch.setattr(inbox_module, "SILENCE_SECONDS", 1.0)

    class Waiter:
        def __init__(self) -> None:
            self.heard = asyncio.get_running_loop().time() - 3.0
            self.deadline = self.heard + 1000
            self.failed: list[Exception] = []

        def deliver(self, msg: object) -> None:
            raise AssertionError

        def fail(self, error: Exception) -> None:
            self.failed.append(error)

    waiter = Waiter()
    inbox._waiting["test"] = waiter  # as if it had been sent before the stop
    inbox._sweep_due = asyncio.get_running_loop().time() - 3.0
    inbox._sweep()
    assert not waiter.failed
    inbox.forget("test")


async def test_too_many_waiting_calls_are_refused(
    calls: Running, executor: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox_module, "MAX_WAITING", 2)
    release = asyncio.Event()

    async def wait(call: Call) -> None:
        await release.wait()
        await call.reply(b"")

    executor.script = wait
    first = [asyncio.create_task(calls.http.post("/fn/f", content=b"")) for _ in range(2)]
    async with asyncio.timeout(5):
        while len(executor.calls) < 2:
            await executor.called.wait()
            executor.called.clear()
    reply = await calls.http.post("/fn/f", content=b"")
    assert (reply.status_code, reply.json()["error_type"]) == (503, "busy")
    release.set()
    assert [task.status_code for task in await asyncio.gather(*first)] == [200, 200]


async def test_executors_that_come_and_go_are_not_missed(calls: Running, own_nats_url: str) -> None:
    async def closed_abruptly() -> None:
        client = await nats.connect(own_nats_url)

        async def answer(msg: Msg) -> None:
            await msg.respond(b"there")

        await client.subscribe(subjects.FUNCTIONS, queue=subjects.EXECUTORS, cb=answer)
        await client.flush()
        reply = await calls.http.post("/fn/f", content=b"")
        assert (reply.status_code, reply.text) == (200, "there")
        # Neither unsubscribed nor drained: as a crash leaves it.
        await client.close()

    for _ in range(60):
        await closed_abruptly()
    await until(lambda: calls.gateway.inbox.waiting == 0)
