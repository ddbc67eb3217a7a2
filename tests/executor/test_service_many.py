"""Several executors share the calls: one event, one run, whatever comes and goes."""

import asyncio
import signal
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from nats.aio.msg import Msg
from nats.errors import NoRespondersError
from nats.errors import TimeoutError as NatsTimeoutError

from deploy.local.nats import NatsServer
from schemas import headers, subjects
from schemas.ai import GenerateRequest
from tests.executor import processes
from tests.executor.cluster import Cluster, Reply, cluster, executor
from tests.executor.conftest import Engine

ASK = "from platform_sdk import *\nsend_output(call_ai('m', get_input()))"


class Held:
    """Calls that wait for their model until the test lets them go."""

    def __init__(self, made: Cluster) -> None:
        self.prompts: Counter[str] = Counter()
        self.waiting = asyncio.Semaphore(0)
        self.let_go = asyncio.Event()
        made.broker.answer = self._answer

    async def _answer(self, request: GenerateRequest, msg: Msg) -> str:
        self.prompts[request.prompt] += 1
        self.waiting.release()
        await self.let_go.wait()
        return request.prompt

    async def until_running(self, count: int) -> None:
        """Wait until so many more calls run."""
        async with asyncio.timeout(20):
            for _ in range(count):
                await self.waiting.acquire()


@pytest.fixture
async def here(folder: Path) -> AsyncIterator[Cluster]:
    """NATS without an executor."""
    async with NatsServer(folder / "nats").run() as server, cluster(server.url) as made:
        await made.gateway.deploy("ask", ASK, timeout_ms=60_000)
        yield made


def _call(here: Cluster, prompt: str, **given: object) -> asyncio.Task[Reply]:
    return asyncio.create_task(here.call("ask", prompt, **given))


async def test_calls_that_wait_for_a_model_leave_their_slot_to_others(
    here: Cluster, engine: Engine, folder: Path
) -> None:
    async with executor(here.url, engine, folder, slots=1, queue=0, outside=8):
        held = Held(here)
        calls = []
        for number in range(8):
            calls.append(_call(here, str(number)))
            await held.until_running(1)
        await here.gateway.deploy("quick", "print('quick')")
        assert (await here.call("quick", "")).body == b"quick\n"
        # One more than may wait outside keeps the slot, and then there is none.
        calls.append(_call(here, "8"))
        await held.until_running(1)
        refused = await here.call("quick", "")
        assert refused.headers[headers.ERROR_TYPE] == "busy"
        held.let_go.set()
        assert {reply.body for reply in await asyncio.gather(*calls)} == {b"%d" % number for number in range(9)}
        assert (await here.call("quick", "")).body == b"quick\n"


async def test_a_full_executor_lets_another_take_over_and_all_full_is_busy_at_once(
    here: Cluster, engine: Engine, folder: Path
) -> None:
    async with (
        executor(here.url, engine, folder, slots=1, queue=0),
        executor(here.url, engine, folder, slots=1, queue=0),
    ):
        held = Held(here)
        calls = [_call(here, str(n)) for n in range(2)]
        await held.until_running(2)
        started = asyncio.get_running_loop().time()
        refused = await here.call("ask", "no room")
        took = asyncio.get_running_loop().time() - started
        assert refused.headers[headers.ERROR_TYPE] == "busy"
        assert refused.headers[headers.SERVICE_ERROR_CODE] == "503"
        assert refused.headers[headers.RETRY_AFTER] == "1"
        assert "every executor is busy" in refused.body.decode()
        assert took < 1
        held.let_go.set()
        replies = await asyncio.gather(*calls)
        assert {reply.body for reply in replies} == {b"0", b"1"}
        assert len({reply.headers[headers.EXECUTOR] for reply in replies}) == 2
        assert held.prompts == {"0": 1, "1": 1}
        assert (await here.call("ask", "room again")).body == b"room again"


async def test_a_call_waits_its_turn_in_a_full_executors_queue(here: Cluster, engine: Engine, folder: Path) -> None:
    async with executor(here.url, engine, folder, slots=1, queue=2):
        held = Held(here)
        calls = [_call(here, str(n)) for n in range(3)]
        await held.until_running(1)
        late = [_call(here, "late") for _ in range(2)]
        assert [(await call).headers[headers.ERROR_TYPE] for call in late] == ["busy"] * 2
        short = await here.nc.request(subjects.function("ask"), b"x", timeout=5)
        assert (short.headers or {})[headers.ERROR_TYPE] == "busy"
        held.let_go.set()
        assert sorted([(await call).body for call in calls]) == [b"0", b"1", b"2"]
        assert sum(held.prompts.values()) == 3


async def test_a_call_in_the_queue_gives_up_when_its_time_is_up(here: Cluster, engine: Engine, folder: Path) -> None:
    async with executor(here.url, engine, folder, slots=1, queue=2):
        held = Held(here)
        running = _call(here, "running")
        await held.until_running(1)
        waited = await here.call("ask", "waits", timeout_ms=150)
        assert waited.headers[headers.ERROR_TYPE] == "busy"
        assert "no sandbox was free within the 150 ms" in waited.body.decode()
        held.let_go.set()
        assert (await running).body == b"running"
        assert held.prompts == {"running": 1}


async def test_each_event_runs_exactly_once_under_load(here: Cluster, engine: Engine, folder: Path) -> None:
    async with (
        executor(here.url, engine, folder, slots=2, queue=4),
        executor(here.url, engine, folder, slots=2, queue=4),
    ):
        held = Held(here)
        held.let_go.set()
        inbox = here.nc.new_inbox()
        answers: Counter[str] = Counter()
        refused: set[str] = set()
        executors: set[str] = set()
        next_burst = asyncio.Condition()

        async def on_answer(msg: Msg) -> None:
            given = msg.headers or {}
            answers[given[headers.EXECUTION_ID]] += 1
            executors.add(given[headers.EXECUTOR])
            if given.get(headers.ERROR_TYPE) == "busy":
                refused.add(given[headers.EXECUTION_ID])
            else:
                assert msg.data.decode() == given[headers.EXECUTION_ID]
            async with next_burst:
                next_burst.notify_all()

        await here.nc.subscribe(inbox, cb=on_answer)
        for burst in range(30):
            for number in range(16):
                name = f"call-{burst}-{number}"
                await here.nc.publish(
                    subjects.function("ask"), name.encode(), reply=inbox, headers={headers.EXECUTION_ID: name}
                )
            async with asyncio.timeout(30), next_burst:
                await next_burst.wait_for(lambda sent=16 * (burst + 1): len(answers) == sent)
        # Whoever answers twice does so before a last call's answer.
        await here.call("ask", "the end")
        assert set(answers.values()) == {1}
        ran = set(answers) - refused
        assert held.prompts == dict.fromkeys(ran | {"the end"}, 1)
        # However slow: who has answered all has room for four at least.
        assert len(ran) >= 4 * 30
        assert len(executors) == 2


async def test_sigterm_finishes_what_runs_and_takes_nothing_new(here: Cluster, engine: Engine, folder: Path) -> None:
    async with executor(here.url, engine, folder, slots=2, queue=5) as leaving:
        held = Held(here)
        calls = [_call(here, str(n)) for n in range(3)]
        await held.until_running(2)
        leaving.signal(signal.SIGTERM)
        await leaving.until_logged("takes nothing new")
        await _until_nobody_listens(here)
        async with executor(here.url, engine, folder, slots=1):
            held.let_go.set()
            assert sorted([(await call).body for call in calls]) == [b"0", b"1", b"2"]
            assert (await here.call("ask", "to the other")).body == b"to the other"
        assert await leaving.ended() == 0
        assert "Traceback" not in leaving.log
        assert "Warning" not in leaving.log


async def _until_nobody_listens(here: Cluster) -> None:
    while True:
        try:
            await here.call("ask", "too late", seconds=1)
        except NatsTimeoutError:
            continue
        except NoRespondersError:
            return


async def test_what_does_not_finish_within_the_grace_is_told_so(here: Cluster, engine: Engine, folder: Path) -> None:
    async with executor(here.url, engine, folder, slots=1, queue=1, grace_seconds=0) as leaving:
        held = Held(here)
        running = _call(here, "running")
        await held.until_running(1)
        pids = _descendants(leaving.pid)
        leaving.signal(signal.SIGINT)
        reply = await running
        assert reply.headers[headers.ERROR_TYPE] == "runtime_error"
        assert "the executor was stopped before the call ended" in reply.body.decode()
        assert await leaving.ended() == 0
        await processes.until_gone(*pids)


async def test_kill_9_of_an_executor_takes_its_sandboxes_along_and_leaves_the_others_alone(
    here: Cluster, engine: Engine, folder: Path
) -> None:
    async with (
        executor(here.url, engine, folder, slots=1, queue=0) as one,
        executor(here.url, engine, folder, slots=1, queue=0) as other,
    ):
        held = Held(here)
        heard: list[list[Reply]] = [[], []]

        async def listen(number: int) -> None:
            async for reply in here.stream("ask", b"%d" % number, heartbeat_ms=100):
                heard[number].append(reply)

        listening = [asyncio.create_task(listen(n)) for n in range(2)]
        await held.until_running(2)
        pids = _descendants(one.pid)
        assert len(pids) >= 2
        one.signal(signal.SIGKILL)
        await one.ended()
        await processes.until_dead(*pids)
        held.let_go.set()
        done, silent = await asyncio.wait(listening, timeout=20, return_when=asyncio.FIRST_COMPLETED)
        assert len(done) == len(silent) == 1
        assert {call[-1].body for call in heard if call and call[-1].final} <= {b"0", b"1"}
        for task in silent:
            task.cancel()
        await asyncio.gather(*silent, return_exceptions=True)
        assert (await here.call("ask", "next")).body == b"next"
        assert "Traceback" not in other.log


def _descendants(pid: int) -> set[int]:
    found = processes.children(pid)
    for child in list(found):
        found |= _descendants(child)
    return found
