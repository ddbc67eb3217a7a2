"""What plugins ask of models, through an executor and NATS: every operation, its limits, and what is left of it."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from nats.aio.msg import Msg

from deploy.local.nats import NatsServer
from executor.ai import PARALLEL
from executor.ai_streams import MAX_OPEN
from executor.asking import MAX_UNREAD_BYTES
from schemas import headers
from schemas.ai import AIUse, ChatRequest, GenerateRequest, Message, ToolCall
from schemas.errors import AIErrorCode, AIFailure
from tests.executor.cluster import Cluster, cluster, executor
from tests.executor.conftest import Engine
from tests.support.waiting import until


@pytest.fixture(scope="module")
async def _here(engine: Engine, folder: Path) -> AsyncIterator[Cluster]:
    async with (
        NatsServer(folder / "nats").run() as server,
        cluster(server.url) as made,
        executor(server.url, engine, folder, slots=1, queue=5, outside=100),
    ):
        yield made


@pytest.fixture
def here(_here: Cluster) -> Cluster:
    """A NATS server and one executor with one slot; a broker that echoes."""
    _here.broker.forget_scripts()
    _here.broker.asked.clear()
    _here.broker.cancelled = asyncio.Queue()
    return _here


async def _run(here: Cluster, source: str, data: bytes = b"", **limits: int) -> str:
    """What a plugin says that begins with everything of the SDK."""
    await here.gateway.deploy("asks", "from platform_sdk import *\n" + source, **limits)
    reply = await here.call("asks", data)
    assert reply.error is None, reply.error
    return reply.body.decode()


async def _forever(*_: object) -> str:
    await asyncio.Event().wait()
    return ""


async def test_a_conversation_with_tools(here: Cluster) -> None:
    async def turn(request: ChatRequest, msg: Msg) -> Message:
        if request.messages[-1].role == "tool":
            return Message("assistant", f"It is {request.messages[-1].content}.")
        assert request.tools is not None
        return Message("assistant", tool_calls=[ToolCall(request.tools[0]["function"]["name"], {"city": "Rome"}, "1")])

    here.broker.turn = turn
    source = """
tools = [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]
messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": get_input()}]
reply = chat("m", messages, tools=tools, options={"seed": 1})
for call in reply["tool_calls"]:
    messages += [reply, {"role": "tool", "tool_name": call["name"], "content": f"hot in {call['arguments']['city']}"}]
final = chat("m", messages, tools=tools)
send_output([reply, final])
"""
    first, final = json.loads(await _run(here, source, b"How is Rome?"))
    assert first == {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"name": "weather", "arguments": {"city": "Rome"}, "id": "1"}],
    }
    assert final == {"role": "assistant", "content": "It is hot in Rome.", "tool_calls": []}


async def test_vectors(here: Cluster) -> None:
    assert json.loads(await _run(here, "send_output([embed('m', 'abc'), embed('m', ['a', 'ab'])])")) == [
        [[3.0, 0.5]],
        [[1.0, 0.5], [2.0, 0.5]],
    ]


async def test_for_whom_a_model_is_asked(here: Cluster) -> None:
    await here.gateway.deploy("asks", "from platform_sdk import *\ncall_ai('m', 'p')")
    await here.call("asks", caller="bob", execution_id="e1", timeout_ms=5000)
    (asked,) = here.broker.asked
    given = asked.headers or {}
    names = (headers.PLUGIN, headers.CALLER, headers.EXECUTION_ID, headers.HEARTBEAT_MS)
    assert [given.get(name) for name in names] == ["asks", "bob", "e1", "1000"]
    assert 1000 < int(given[headers.TIMEOUT_MS]) <= 5000


async def test_what_an_execution_used_is_in_its_reply_and_its_record(here: Cluster) -> None:
    async def fails(request: GenerateRequest, msg: Msg) -> str:
        raise AIFailure("full", AIErrorCode.BUSY)

    here.broker.answer = fails
    await here.gateway.deploy(
        "asks",
        "from platform_sdk import *\nembed('m', 'x')\nlist(stream_ai('m', 'p'))\n"
        "chat('m', [{'role': 'user', 'content': 'x'}])\ntry: call_ai('m', 'p')\nexcept AIError: pass",
    )
    reply = await here.call("asks", execution_id="used")
    assert headers.get_ai_use(reply.headers) == (4, 9, 4)
    record = await here.record("used")
    assert record.ai_calls == 4
    assert record.ai == AIUse(3, 1, 0, 9, 4, 30, 150, ["real"])


async def test_a_stream_is_read_as_it_comes(here: Cluster) -> None:
    seen = asyncio.Event()

    async def pieces(request: GenerateRequest | ChatRequest, msg: Msg) -> AsyncIterator[str]:
        yield "first "
        await seen.wait()
        yield "second \N{SNOWMAN}"

    here.broker.pieces = pieces
    await here.gateway.deploy(
        "asks",
        "from platform_sdk import *\nsend_output('It begins:')\n"
        "for text in stream_ai('m', 'p'): send_chunk(text)\nsend_output('end')",
    )
    heard = []
    async for reply in here.stream("asks", stream=1):
        heard.append(reply.body)
        if b"".join(heard).endswith(b"first "):
            seen.set()
    whole = "It begins:first second \N{SNOWMAN}\nend".encode()
    assert b"".join(heard) == whole
    assert (await here.call("asks")).body == whole


async def test_a_stream_of_a_conversation_says_in_the_end_what_is_known(here: Cluster) -> None:
    source = """
def whole():
    reply = yield from stream_ai("m", [{"role": "user", "content": "x"}], system="s")
    send_output({**reply["message"], "tokens": reply["output_tokens"], "by": reply["answered_by"]})
send_output(list(whole()))
"""
    reply, pieces = (await _run(here, source)).split("\n")
    assert json.loads(reply) == {
        "role": "assistant", "content": "once upon a time", "tool_calls": [], "tokens": 2, "by": "real",
    }  # fmt: skip
    assert "".join(json.loads(pieces)) == "once upon a time"
    sent = json.loads(here.broker.asked[0].data)
    assert [message["role"] for message in sent["messages"]] == ["system", "user"]


async def _endless(request: GenerateRequest | ChatRequest, msg: Msg) -> AsyncIterator[str]:
    while True:
        yield "more "
        await asyncio.sleep(0.001)


@pytest.mark.parametrize(
    "leave",
    [
        "for text in stream_ai('m', 'p'): break",
        "stream = stream_ai('m', 'p'); next(stream); stream.close()",
        "next(stream_ai('m', 'p'))",
    ],
    ids=["break", "close", "dropped"],
)
async def test_leaving_a_stream_stops_the_model(here: Cluster, leave: str) -> None:
    here.broker.pieces = _endless
    assert await _run(here, f"{leave}\nsend_output(call_ai('m', 'still here'))") == "m says still here"
    await asyncio.wait_for(here.broker.cancelled.get(), 5)
    await until(lambda: here.broker.serving == 0)


async def test_a_failure_comes_after_the_text_before_it(here: Cluster) -> None:
    async def pieces(request: GenerateRequest | ChatRequest, msg: Msg) -> AsyncIterator[str]:
        yield "some"
        raise AIFailure("the budget is used up", AIErrorCode.BUDGET_EXCEEDED, retry_after_ms=1500)

    here.broker.pieces = pieces
    source = """
try:
    for text in stream_ai("m", "p"): send_output(text)
except AIError as error:
    send_output([str(error), error.code, error.retry_after_ms])
"""
    assert await _run(here, source) == 'some\n["the budget is used up", "budget_exceeded", 1500]'
    assert here.broker.cancelled.empty()


async def test_an_error_that_is_not_caught_says_when_to_try_again(here: Cluster) -> None:
    async def answer(request: GenerateRequest, msg: Msg) -> str:
        raise AIFailure("used up", AIErrorCode.BUDGET_EXCEEDED, retry_after_ms=1500)

    here.broker.answer = answer
    await here.gateway.deploy("asks", "from platform_sdk import *\ncall_ai('m', 'p')")
    reply = await here.call("asks")
    assert reply.headers[headers.ERROR_CODE] == "budget_exceeded"
    assert reply.headers[headers.RETRY_AFTER_MS] == "1500"
    assert reply.headers[headers.RETRY_AFTER] == "2"


async def test_a_stream_that_is_not_read_is_cut_off(here: Cluster) -> None:
    async def flood(request: GenerateRequest | ChatRequest, msg: Msg) -> AsyncIterator[str]:
        while True:
            yield "x" * 16384
            await asyncio.sleep(0.001)

    here.broker.pieces = flood
    source = f"""
import time
stream = stream_ai("m", "p")
got = len(next(stream))
time.sleep(0.3)
try:
    while True: got += len(next(stream))
except AIError as error:
    send_output([got <= 2 * {MAX_UNREAD_BYTES}, error.code, str(error)])
"""
    bounded, code, text = json.loads(await _run(here, source))
    assert bounded
    assert (code, "cut off" in text) == ("cancelled", True)
    await asyncio.wait_for(here.broker.cancelled.get(), 5)


async def test_only_so_many_streams_may_be_open(here: Cluster) -> None:
    here.broker.pieces = _endless
    source = """
streams = []
try:
    while True:
        streams.append(stream_ai("m", "p"))
        next(streams[-1])
except AIError as error:
    send_output([len(streams), error.code])
streams.pop(0).close()
next(stream_ai("m", "p"))
"""
    assert json.loads(await _run(here, source, ai_calls=50)) == [MAX_OPEN + 1, "too_many_calls"]
    for _ in range(MAX_OPEN + 1):
        await asyncio.wait_for(here.broker.cancelled.get(), 5)
    await until(lambda: here.broker.serving == 0)


async def test_many_prompts_at_once_keep_their_order(here: Cluster) -> None:
    running = most = 0

    async def answer(request: GenerateRequest, msg: Msg) -> str:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.02 if int(request.prompt) % 2 else 0.001)
        running -= 1
        return request.prompt + (request.system or "")

    here.broker.answer = answer
    said = json.loads(
        await _run(here, "send_output(map_ai('m', [str(n) for n in range(30)], system='!'))", ai_calls=30)
    )
    assert said == [f"{n}!" for n in range(30)]
    assert most == PARALLEL


async def test_many_prompts_of_which_some_fail(here: Cluster) -> None:
    async def answer(request: GenerateRequest, msg: Msg) -> str:
        if request.prompt == "bad":
            raise AIFailure("no", AIErrorCode.REFUSED)
        return request.prompt

    here.broker.answer = answer
    source = """
answers = map_ai("m", ["a", "bad", "b", "c"], on_error="return")
send_output([answer if isinstance(answer, str) else answer.code for answer in answers])
"""
    assert json.loads(await _run(here, source, ai_calls=3)) == ["a", "refused", "b", "too_many_calls"]


async def test_the_first_of_many_that_fails_ends_the_others(here: Cluster) -> None:
    async def answer(request: GenerateRequest, msg: Msg) -> str:
        if request.prompt == "bad":
            raise AIFailure("no", AIErrorCode.REFUSED)
        return await _forever()

    here.broker.answer = answer
    source = """
try: map_ai("m", ["slow", "bad", "slow"])
except AIError as error: send_output(error.code)
"""
    assert await _run(here, source) == "refused"
    for _ in range(2):
        await asyncio.wait_for(here.broker.cancelled.get(), 5)


async def test_more_prompts_than_calls_are_left_are_not_asked(here: Cluster) -> None:
    source = "try: map_ai('m', 'abc')\nexcept AIError as error: send_output([error.code, str(error)])"
    code, text = json.loads(await _run(here, source, ai_calls=2))
    assert (code, text) == ("too_many_calls", "3 prompts are more than the 2 AI calls that are left of 2")
    assert not here.broker.asked


@pytest.mark.parametrize(
    "waits",
    ["call_ai('m', 'p')", "map_ai('m', 'abc')", "list(stream_ai('m', 'p'))", "next(stream_ai('m', 'p')); 1/0"],
    ids=["call", "map", "stream", "failed"],
)
async def test_nothing_is_left_with_the_broker_of_an_execution_that_ended(here: Cluster, waits: str) -> None:
    async def pieces(request: GenerateRequest | ChatRequest, msg: Msg) -> AsyncIterator[str]:
        yield "x"
        await _forever()

    here.broker.answer, here.broker.pieces = _forever, pieces
    await here.gateway.deploy("asks", f"from platform_sdk import *\n{waits}", timeout_ms=400)
    assert (await here.call("asks")).error is not None
    await asyncio.wait_for(here.broker.cancelled.get(), 5)
    await until(lambda: here.broker.serving == 0)


async def test_a_slot_is_free_while_a_stream_is_waited_for(here: Cluster) -> None:
    go_on = asyncio.Event()

    async def pieces(request: GenerateRequest | ChatRequest, msg: Msg) -> AsyncIterator[str]:
        yield "x"
        await go_on.wait()

    here.broker.pieces = pieces
    await here.gateway.deploy("quick", "print('here')")
    await here.gateway.deploy("asks", "from platform_sdk import *\nsend_output(list(stream_ai('m', 'p')))")
    waiting = asyncio.create_task(here.call("asks"))
    await until(lambda: here.broker.serving == 1)
    assert (await here.call("quick")).body == b"here\n"
    go_on.set()
    assert (await waiting).body == b'["x"]'


async def test_more_pieces_of_a_stream_may_be_read_than_requests_made(here: Cluster) -> None:
    async def pieces(request: GenerateRequest | ChatRequest, msg: Msg) -> AsyncIterator[str]:
        for _ in range(2_500):
            yield "x"

    here.broker.pieces = pieces
    source = "send_output(sum(len(text) for text in stream_ai('m', 'p')))"
    assert await _run(here, source) == "2500"


async def test_a_request_that_makes_no_sense(here: Cluster) -> None:
    source = """
import _wasmforge
asked = [("next", {"stream": 1}), ("next", {}), ("close", {"stream": 9}), ("map", {"model": "m"}), ("sing", {}),
         ("chat", {"model": "m", "messages": [{"role": "boss"}]}), ("stream", {"model": 1})]
send_output([_wasmforge.request(*each).get("code") for each in asked])
"""
    assert json.loads(await _run(here, source)) == [
        "cancelled", "invalid_prompt", None, "invalid_prompt", "invalid_prompt", "invalid_prompt", "invalid_prompt",
    ]  # fmt: skip
