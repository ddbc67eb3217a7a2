"""Several model servers: who is asked, and what if that one fails."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import msgspec
import pytest
from nats.aio.client import Client

from broker.breaker import LONGEST_OUT_SECONDS, Breaker
from schemas import headers, subjects
from schemas.ai import GenerateReply
from schemas.errors import AIErrorCode, AIFailure
from tests.broker.asking import Caller, serving
from tests.broker.dialects import PNG, WEATHER, Ollama, OpenAI
from tests.broker.misbehaving import Misbehaving, answer, hangs, http, sends, sends_and_closes
from tests.broker.test_load import Gate
from tests.broker.test_policy import usage

NO_ALIASES = {"WASMFORGE_MODEL_ALIASES": ""}
DIALECT = Ollama()


@pytest.fixture
async def servers() -> AsyncIterator[list[Misbehaving]]:
    """Three model servers, all with the usual model, each with its own answer."""
    async with AsyncExitStack() as stack:
        servers = []
        for number in range(3):
            server = await stack.enter_async_context(Misbehaving().running())
            server.generate = sends(answer(f"answer {number}"))
            server.tags = sends(DIALECT.listing("mistral:latest"))
            servers.append(server)
        yield servers


def urls(servers: list[Misbehaving]) -> str:
    """As the setting wants them."""
    return ",".join(server.url for server in servers)


async def until(caller: Caller, true: Callable[[list[bool]], bool]) -> None:
    """Wait until it is true of which servers are connected."""
    async with asyncio.timeout(20):
        while not true([server.connected for server in (await caller.models()).servers]):
            pass


async def test_each_server_gets_its_share(nc: Client, caller: Caller, servers: list[Misbehaving]) -> None:
    gates = [Gate(server) for server in servers]
    async with serving(nc, urls(servers), environment=NO_ALIASES, parallel=2):
        await until(caller, all)
        asking = [asyncio.create_task(caller.generate()) for _ in range(6)]
        for gate in gates:
            await gate.holds(2)
            gate.open.set()
        await asyncio.gather(*asking)


async def test_the_one_that_has_it_loaded_is_preferred(nc: Client, caller: Caller, servers: list[Misbehaving]) -> None:
    servers[1].ps = sends(DIALECT.listing("mistral:latest"))
    async with serving(nc, urls(servers), environment=NO_ALIASES):
        await until(caller, all)
        await _loaded(caller)
        for _ in range(5):
            assert (await caller.generate()).response == "answer 1"


@pytest.mark.parametrize(
    "behaviour",
    [
        sends_and_closes(b""),
        sends_and_closes(answer()[:-5]),
        sends(http("", 500)),
        sends(http({"error": "server busy"}, 503)),
        sends(http({"error": "model not found"}, 404)),
    ],
    ids=["closes", "breaks off", "fails", "is busy", "lost the model"],
)
async def test_a_request_moves_on_from_a_server_that(
    nc: Client, caller: Caller, servers: list[Misbehaving], behaviour: Callable[..., None]
) -> None:
    for server in servers[:2]:
        server.generate = behaviour  # type: ignore[assignment]
    async with serving(nc, urls(servers), environment=NO_ALIASES):
        await until(caller, all)
        for _ in range(4):
            assert (await caller.generate()).response == "answer 2"


async def test_a_stream_moves_on_until_its_first_token(nc: Client, caller: Caller, servers: list[Misbehaving]) -> None:
    servers[0].generate = servers[1].generate = sends_and_closes(DIALECT.head)
    servers[2].generate = sends(DIALECT.head + DIALECT.piece("fine") + DIALECT.end())
    async with serving(nc, urls(servers), environment=NO_ALIASES):
        await until(caller, all)
        async with caller.stream() as stream:
            pieces, _ = await stream.rest()
            assert pieces == ["fine"]
        for server in servers:
            server.generate = sends_and_closes(DIALECT.head + DIALECT.piece("fi"))
        async with caller.stream() as stream:
            assert await stream.piece() == "fi"
            assert (await stream.failure()).code is AIErrorCode.BROKEN_REPLY
    assert sum(len(server.asked) for server in servers) <= 4


async def test_what_a_server_made_before_it_broke_off_is_paid_for(
    nc: Client, caller: Caller, servers: list[Misbehaving]
) -> None:
    # Pieces without text are not handed on, so the request may move; the model has worked for them.
    servers[0].generate = servers[1].generate = sends_and_closes(DIALECT.head + DIALECT.piece("") * 20)
    servers[2].generate = sends(DIALECT.head + DIALECT.piece("fine") + DIALECT.end())
    budgets = '{"global": {"output_tokens": {"day": 100000}}}'
    async with serving(nc, urls(servers), environment=NO_ALIASES | {"WASMFORGE_BUDGETS": budgets}):
        await until(caller, all)
        spent = 0
        for _ in range(3):
            async with caller.stream() as stream:
                _, body = await stream.rest()
                spent += msgspec.json.decode(body, type=GenerateReply).output_tokens
        made = 20 * sum(len(server.asked) for server in servers[:2])
        assert made > 0
        assert spent >= made
        counted = await usage(nc)
        assert [each.output_tokens for each in counted.models] == [spent]
        async with asyncio.timeout(20):
            # What was reserved and not used comes back after the answer.
            while [state.used for state in (await usage(nc)).budgets] != [spent]:
                pass
        asked = sum(len(server.asked) for server in servers)
        servers[2].generate = servers[0].generate
        async with caller.stream(options={"num_predict": 20}) as stream:
            assert (await stream.failure()).code is AIErrorCode.BUDGET_EXCEEDED
        assert sum(len(server.asked) for server in servers) == asked + 1, "the first one has used all there was"


async def test_when_all_fail_the_last_failure_is_told(nc: Client, caller: Caller, servers: list[Misbehaving]) -> None:
    for server in servers:
        server.generate = sends(http({"error": "no memory"}, 500))
    async with serving(nc, urls(servers), environment=NO_ALIASES):
        await until(caller, all)
        error = await caller.fails_at_once(AIErrorCode.UNAVAILABLE)
        assert "no memory" in error.message
        assert sorted(len(server.asked) for server in servers) == [1, 1, 1]
        for server in servers:
            server.generate = sends(answer())
        assert (await caller.generate()).response == "fine"


async def test_what_the_request_is_to_blame_for_is_not_asked_twice(
    nc: Client, caller: Caller, servers: list[Misbehaving]
) -> None:
    for server in servers:
        server.generate = sends(http({"error": "bad options"}, 400))
    async with serving(nc, urls(servers), environment=NO_ALIASES):
        await until(caller, all)
        await caller.fails_at_once(AIErrorCode.REFUSED)
        assert sum(len(server.asked) for server in servers) == 1


async def test_a_server_that_goes_is_left_alone_and_comes_back(nc: Client, caller: Caller) -> None:
    staying, going = Misbehaving(), Misbehaving()
    for server in (staying, going):
        server.tags = sends(DIALECT.listing("mistral:latest"))
    staying.generate = sends(answer("stays"))
    going.generate = sends(answer("was away"))
    async with staying.running(), serving(nc, urls([going, staying]), environment=NO_ALIASES):
        async with going.running():
            await until(caller, all)
        replies = await asyncio.gather(*(caller.generate() for _ in range(20)))
        assert {reply.response for reply in replies} == {"stays"}
        await until(caller, lambda connected: connected == [False, True])
        reply = await caller.models()
        assert "can't be reached" in (reply.servers[0].error or "")
        async with going.running(), asyncio.timeout(20):
            gate = Gate(staying)
            asking = [asyncio.create_task(caller.generate()) for _ in range(20)]
            done, _ = await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
            assert done.pop().result().response == "was away"
            gate.open.set()
            await asyncio.gather(*asking)


async def test_a_model_that_was_listed_and_is_gone_is_not_asked_for_again(
    nc: Client, caller: Caller, servers: list[Misbehaving]
) -> None:
    servers[0].generate = sends(http({"error": "model 'mistral:latest' not found"}, 404))
    servers[1].tags = servers[2].tags = sends(DIALECT.listing("other:1b"))
    async with serving(nc, urls(servers), environment=NO_ALIASES):
        await until(caller, all)
        before = servers[0].checks.count("/api/tags")
        servers[0].tags = sends(DIALECT.listing("other:1b"))
        # Nobody lists it any more: then the others are asked, too, before it is given up.
        assert (await caller.generate()).response in ("answer 1", "answer 2")
        async with asyncio.timeout(10):
            while servers[0].checks.count("/api/tags") == before:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.005)


async def test_a_model_that_is_not_there_is_answered_for_by_another(
    nc: Client, caller: Caller, servers: list[Misbehaving]
) -> None:
    servers[1].tags = sends(DIALECT.listing("mistral:7b"))
    servers[2].tags = sends(DIALECT.listing("smollm2:135m"))
    environment = {"WASMFORGE_MODEL_ALIASES": "mistral=mistral:13b|mistral:7b|smollm2:135m,gemma2:2b=smollm2:135m"}
    async with serving(nc, urls(servers), environment=environment):
        await until(caller, all)
        described = {model.name: model.answered_by for model in (await caller.models()).models}
        assert (described["mistral:latest"], described["gemma2:2b"]) == ("mistral:7b", "smollm2:135m")
        reply = await caller.generate(model="mistral")
        assert (reply.response, reply.model, reply.answered_by) == ("answer 1", "mistral", "mistral:7b")
        # The server that has it fails: the next in the list answers.
        servers[1].generate = sends(http("", 500))
        reply = await caller.generate(model="mistral")
        assert (reply.response, reply.answered_by) == ("answer 2", "smollm2:135m")


async def test_what_a_model_cannot_is_refused_or_asked_where_it_can(
    nc: Client, caller: Caller, servers: list[Misbehaving]
) -> None:
    servers[0].show = servers[1].show = sends(http({"capabilities": ["completion"]}))
    servers[2].show = sends(
        http({"capabilities": ["completion", "vision", "tools"], "model_info": {"x.context_length": 9}})
    )
    servers[2].generate = sends(DIALECT.whole("sees", chat=True))
    async with serving(nc, urls(servers[:2]), environment=NO_ALIASES):
        await _facts_of(caller, ["completion"])
        error = await caller.fails_at_once(AIErrorCode.NOT_SUPPORTED, images=[PNG])
        assert error.message == "mistral:latest does not support vision"
        assert not servers[0].asked
    async with serving(nc, urls(servers), environment=NO_ALIASES):
        await _facts_of(caller, ["completion", "tools", "vision"])
        assert (await caller.models()).details["mistral:latest"].context_length == 9
        for _ in range(3):
            assert (await caller.chat(tools=[WEATHER])).message.content == "sees"


async def test_a_slow_first_answer_is_waited_for(nc: Client, caller: Caller, servers: list[Misbehaving]) -> None:
    gate = Gate(servers[0])
    async with serving(nc, servers[0].url, environment=NO_ALIASES):
        asking = asyncio.create_task(caller.generate(timeout_ms=30_000))
        await gate.holds(1)
        # A check of a server that is loading a model fails, too; that says nothing of the request.
        servers[0].tags = hangs
        await caller.models()
        gate.open.set()
        assert (await asking).response == "fine"


async def test_a_request_leaves_a_server_that_hangs_if_another_could_answer(
    nc: Client, caller: Caller, servers: list[Misbehaving], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("broker.servers.CHECK_SECONDS", 0.3)
    monkeypatch.setattr("broker.servers.INTERVAL_SECONDS", 0.1)
    servers[0].ps = sends(DIALECT.listing("mistral:latest"))
    servers[0].generate = hangs
    gate = Gate(servers[1])
    async with serving(nc, urls(servers[:2]), environment=NO_ALIASES):
        await _loaded(caller)
        asking = asyncio.create_task(caller.generate(timeout_ms=30_000))
        async with asyncio.timeout(10):
            while not servers[0].asked:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.005)
        servers[0].tags = hangs
        await gate.holds(1)
        # There it stays, whatever becomes of that server: there is no third.
        servers[1].tags = hangs
        await until(caller, lambda connected: not any(connected))
        gate.open.set()
        assert (await asking).response == "fine"


async def test_a_server_is_killed_in_the_middle_of_load(nc: Client, caller: Caller, servers: list[Misbehaving]) -> None:
    async def slowly(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.01)
        await sends(answer())(writer)

    for server in servers[1:]:
        server.generate = slowly
    async with Misbehaving().running() as bystander:
        dying = Misbehaving(generate=slowly, tags=sends(DIALECT.listing("mistral:latest")))
        bystander.generate, bystander.tags = slowly, sends(DIALECT.listing("mistral:latest"))
        async with serving(nc, urls([bystander, dying, servers[1]]), environment=NO_ALIASES, parallel=8):
            killed = asyncio.Event()

            async def load() -> None:
                # Until it is dead, however long it is before it is let in, and twenty more.
                while not killed.is_set():
                    assert (await caller.generate()).response == "fine"
                for _ in range(20):
                    assert (await caller.generate()).response == "fine"

            async with dying.running():
                await until(caller, all)
                loads = [asyncio.create_task(load()) for _ in range(24)]
                async with asyncio.timeout(20):
                    while len(dying.asked) < 20:  # noqa: ASYNC110 - nobody tells
                        await asyncio.sleep(0.001)
            killed.set()
            await asyncio.gather(*loads)
            assert len(dying.asked) < 200
            assert bystander.asked
            assert servers[1].asked


async def test_both_kinds_side_by_side(nc: Client, caller: Caller, servers: list[Misbehaving]) -> None:
    other = OpenAI()
    servers[1].tags = sends(other.listing("gemma2:2b"))
    servers[1].generate = sends(other.whole("openai"))
    environment = NO_ALIASES | {"WASMFORGE_OPENAI_URLS": f"{servers[1].url}/v1/"}
    async with serving(nc, servers[0].url, environment=environment):
        await until(caller, all)
        assert [server.backend for server in (await caller.models()).servers] == ["ollama", "openai"]
        assert (await caller.generate(model="mistral")).response == "answer 0"
        assert (await caller.generate(model="gemma2:2b")).response == "openai"


async def test_cached_answers_need_no_server(nc: Client, caller: Caller, servers: list[Misbehaving]) -> None:
    async with serving(nc, servers[0].url, environment=NO_ALIASES):
        first = await caller.generate(cache=True, options={"seed": 1})
        servers[0].generate = hangs
        again = msgspec.structs.replace(await caller.generate(cache=True, options={"seed": 1}), duration_us=0)
        assert again == msgspec.structs.replace(first, duration_us=0, queue_us=0, cached=True)
        assert isinstance(again, GenerateReply)


@pytest.mark.parametrize("words", ["it failed", "mistral can't be reached from here"])
async def test_one_plugin_cannot_take_a_server_from_the_others(
    nc: Client, caller: Caller, servers: list[Misbehaving], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def failing(plugin: str) -> None:
        body = msgspec.json.encode({"model": "mistral:latest", "prompt": "poison"})
        reply = await nc.request(subjects.AI_GENERATE, body, timeout=60, headers={headers.PLUGIN: plugin})
        error = headers.get_error(reply.headers, reply.data)
        assert isinstance(error, AIFailure)
        assert error.code is AIErrorCode.UNAVAILABLE, error

    async def in_use() -> list[str]:
        return (await caller.models()).details["mistral:latest"].servers or []

    # Were it let in by a check meanwhile, this would show nothing.
    monkeypatch.setattr("broker.breaker.FIRST_OUT_SECONDS", LONGEST_OUT_SECONDS)
    async with serving(nc, servers[0].url, environment=NO_ALIASES):
        await until(caller, all)
        servers[0].generate = sends(http({"error": words}, 500))
        for plugin in ["hostile"] * 5 + ["second"]:
            await failing(plugin)
            assert await in_use() == [servers[0].url], plugin
        await failing("third")
        assert await in_use() == []


def test_a_breaker_waits_longer_each_time_and_forgets_when_all_is_well() -> None:
    now = 0.0
    breaker = Breaker(lambda: now)
    assert not breaker.failed_to_answer("one")
    assert not breaker.failed_to_answer("two")
    assert breaker.failed_to_answer("three")
    waited = []
    for _ in range(10):
        assert breaker.open
        began = now
        while not breaker.probed():
            now += 0.25
        waited.append(now - began)
        assert not breaker.failed_to_answer("one")
        assert not breaker.failed_to_answer("one"), "even on trial it is in no single plugin's hand"
        assert breaker.failed_to_answer("two"), "it was let in on trial"
        assert not breaker.failed_to_answer("two")
    assert waited == [0.5, 1, 2, 4, 8, 16, *[LONGEST_OUT_SECONDS] * 4]
    assert breaker.succeeded()
    assert breaker.failed(), "one that can't be reached is out at once"
    now += 0.25
    assert not breaker.failed_to_answer("one")
    now += 0.25
    assert breaker.probed(), "a plugin does not keep it out for longer"


async def _facts_of(caller: Caller, capabilities: list[str]) -> None:
    async with asyncio.timeout(10):
        while (await caller.models()).details["mistral:latest"].capabilities != capabilities:
            pass


async def _loaded(caller: Caller) -> None:
    async with asyncio.timeout(10):
        while not (await caller.models()).details["mistral:latest"].loaded:
            pass
