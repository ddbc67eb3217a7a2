"""Answers piece by piece: what the model server may do in the middle, and how a reader that goes stops it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest
from nats.aio.client import Client

from broker.readers import Readers
from schemas import bus, headers, subjects
from schemas.ai import ChatReply, GenerateReply
from schemas.errors import AIErrorCode, AIFailure
from tests.broker.asking import Caller, Stream, serving
from tests.broker.dialects import SCHEMA, Dialect, Ollama, OpenAI
from tests.broker.misbehaving import Behaviour, Misbehaving, chunk, hangs, hangs_after, repeats, sends, sends_and_closes
from tests.support.servers import RestartableNats


@pytest.fixture(params=[Ollama(), OpenAI()], ids=lambda dialect: dialect.name)
async def dialect(request: pytest.FixtureRequest, nc: Client, server: Misbehaving) -> AsyncIterator[Dialect]:
    """The language that the server speaks, with a broker before it that gives one request a turn at a time."""
    spoken: Dialect = request.param
    server.tags = sends(spoken.listing("smollm2:135m"))
    async with serving(nc, "", environment={spoken.setting: server.url}, parallel=1):
        yield spoken


async def left(server: Misbehaving) -> None:
    """Wait until the broker has closed its connection."""
    async with asyncio.timeout(5):
        await server.left.wait()


async def well_again(caller: Caller, server: Misbehaving, dialect: Dialect) -> None:
    """The next request is answered, so that the place of the last one is free."""
    server.generate = sends(dialect.whole("well again"))
    assert (await caller.generate()).response == "well again"


async def test_pieces_come_as_they_are_made(dialect: Dialect, caller: Caller, server: Misbehaving) -> None:
    go_on = asyncio.Event()

    async def behave(writer: asyncio.StreamWriter) -> None:
        writer.write(dialect.head + dialect.piece("one"))
        await go_on.wait()
        writer.write(dialect.piece(" two") + dialect.piece(" three") + dialect.end())

    server.generate = behave
    async with caller.stream() as stream:
        assert await stream.piece() == "one"
        go_on.set()
        pieces, body = await stream.rest()
    assert "".join(pieces) == " two three"
    assert msgspec.json.decode(body, type=GenerateReply).response == "one two three"


async def test_a_line_in_halves_and_a_character_too(dialect: Dialect, caller: Caller, server: Misbehaving) -> None:
    line = dialect.bare_piece("ü🦜").replace(b"\\u00fc", "ü".encode())
    bytewise = b"".join(chunk(line[i : i + 1]) for i in range(len(line)))

    async def behave(writer: asyncio.StreamWriter) -> None:
        for part in (dialect.head, bytewise[:40], bytewise[40:], dialect.end()):
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(0.01)

    server.generate = behave
    async with caller.stream() as stream:
        assert (await stream.rest())[0] == ["ü🦜"]


BREAKS: dict[str, tuple[str, AIErrorCode, str]] = {
    "breaks off": ("close", AIErrorCode.BROKEN_REPLY, "breaks off"),
    "ends without an end": ("finish", AIErrorCode.BROKEN_REPLY, "breaks off"),
    "sends broken JSON": ("broken", AIErrorCode.BROKEN_REPLY, "not what"),
    "sends an error": ("error", AIErrorCode.REFUSED, "the model server refused: out of memory"),
    "sends an endless line": ("line", AIErrorCode.BROKEN_REPLY, "a line of more than 1,048,576 bytes"),
    "never ends": ("endless", AIErrorCode.BROKEN_REPLY, "more than"),
}


@pytest.mark.parametrize("how", BREAKS)
async def test_a_server_that_in_the_middle(how: str, dialect: Dialect, caller: Caller, server: Misbehaving) -> None:
    what, code, says = BREAKS[how]
    begun = dialect.head + dialect.piece("one")
    behaviours: dict[str, Behaviour] = {
        "close": sends_and_closes(begun),
        "finish": sends(begun + chunk(b"")),
        "broken": sends(begun + chunk(dialect.bare_piece("two").replace(b"}", b"]", 1)) + dialect.end()),
        "error": sends(begun + dialect.error("out of memory")),
        "line": repeats(begun + chunk(b"data: {"), chunk(b"x" * 65536)),
        "endless": repeats(begun, chunk(dialect.bare_piece("two" * 2000) * 20)),
    }
    server.generate = behaviours[what]
    async with caller.stream() as stream:
        error = await stream.failure()
    assert (error.code, says in error.message) == (code, True), error
    await well_again(caller, server, dialect)


async def test_before_the_first_token_a_failure_is_one_of_the_request(
    dialect: Dialect, caller: Caller, server: Misbehaving
) -> None:
    server.generate = sends_and_closes(b"")
    async with caller.stream() as stream:
        assert (await stream.failure()).code is AIErrorCode.UNAVAILABLE
    async with caller.stream(prompt="") as stream:
        assert (await stream.failure()).code is AIErrorCode.INVALID_PROMPT
    async with caller.stream(model="gpt-4") as stream:
        assert (await stream.failure()).code is AIErrorCode.MODEL_NOT_ALLOWED
    await well_again(caller, server, dialect)


async def test_a_server_that_hangs_in_the_middle(dialect: Dialect, caller: Caller, server: Misbehaving) -> None:
    server.generate = hangs_after(dialect.head + dialect.piece("one"))
    async with caller.stream(given={headers.TIMEOUT_MS: "400"}) as stream:
        assert await stream.piece() == "one"
        assert (await stream.failure()).code is AIErrorCode.TIMEOUT
    await left(server)
    await well_again(caller, server, dialect)


async def test_a_server_that_says_it_is_done_and_hangs(dialect: Dialect, caller: Caller, server: Misbehaving) -> None:
    server.generate = hangs_after(dialect.head + dialect.piece("one") + dialect.end().removesuffix(chunk(b"")))
    async with caller.stream() as stream:
        assert (await stream.rest())[0] == ["one"]
    await left(server)


@pytest.mark.parametrize("when", ["it waits", "it begins", "it speaks"])
async def test_a_reader_that_says_goodbye(when: str, dialect: Dialect, caller: Caller, server: Misbehaving) -> None:
    server.generate = hangs if when == "it begins" else repeats(dialect.head, dialect.piece("on and on "), 0.005)
    async with caller.stream() as stream:
        if when == "it speaks":
            await stream.piece()
        else:
            await _asked(server)
        if when == "it waits":
            async with caller.stream() as waiting:
                while not (await caller.models()).servers[0].waiting:
                    pass
                await caller.cancel(waiting.inbox)
                assert (await waiting.failure()).code is AIErrorCode.CANCELLED
                assert len(server.asked) == 1
        await caller.cancel(stream.inbox)
        assert (await stream.failure()).code is AIErrorCode.CANCELLED
    await left(server)
    await well_again(caller, server, dialect)


async def test_a_reader_that_goes_without_a_word(dialect: Dialect, caller: Caller, server: Misbehaving) -> None:
    server.generate = repeats(dialect.head, dialect.piece("on and on "), 0.005)
    async with caller.stream() as stream:
        await stream.piece()
    await left(server)
    await well_again(caller, server, dialect)


async def test_goodbye_may_come_before_its_request(dialect: Dialect, caller: Caller, server: Misbehaving) -> None:
    inbox = caller.nc.new_inbox()
    subscription = await caller.nc.subscribe(inbox)
    await caller.cancel(inbox)
    await caller.nc.request(subjects.AI_MODELS, b"", timeout=5)
    await caller.nc.publish(subjects.AI_GENERATE, msgspec.json.encode({"model": "mistral", "prompt": "Hi"}), inbox)
    reply = await subscription.next_msg(timeout=5)
    error = headers.get_error(reply.headers, reply.data)
    assert isinstance(error, AIFailure)
    assert error.code is AIErrorCode.CANCELLED
    assert not server.asked
    for nonsense in (b"", b"{", b"[]", b'{"reply_to": 5}', b'{"reply_to": "wasmforge.>"}'):
        await caller.nc.publish(subjects.AI_CANCEL, nonsense)
    await well_again(caller, server, dialect)


async def test_heartbeats_tell_whether_anybody_listens(dialect: Dialect, caller: Caller, server: Misbehaving) -> None:
    server.generate = hangs
    inbox = caller.nc.new_inbox()
    subscription = await caller.nc.subscribe(inbox)
    body = msgspec.json.encode({"model": "mistral", "prompt": "Hi"})
    await caller.nc.publish(subjects.AI_GENERATE, body, inbox, headers={headers.HEARTBEAT_MS: "100"})
    for _ in range(2):
        beat = await subscription.next_msg(timeout=5)
        assert (beat.data, (beat.headers or {})[headers.EVENT]) == (b"", headers.EVENT_HEARTBEAT)
    await subscription.unsubscribe()
    await left(server)
    await well_again(caller, server, dialect)


async def test_a_stream_in_a_form_comes_whole_and_checked(
    dialect: Dialect, caller: Caller, server: Misbehaving
) -> None:
    answers = [dialect.whole("Sure! {", chat=True), dialect.whole('{"a": 1}', chat=True)]

    async def behave(writer: asyncio.StreamWriter) -> None:
        await sends(answers.pop(0))(writer)

    server.generate = behave
    async with caller.stream(subjects.AI_CHAT, format=SCHEMA) as stream:
        pieces, body = await stream.rest()
    reply = msgspec.json.decode(body, type=ChatReply)
    assert pieces == [reply.message.content] == ['{"a": 1}']
    assert (reply.prompt_tokens, reply.output_tokens) == (6, 4)


async def test_an_answer_from_the_cache_is_a_stream_too(dialect: Dialect, caller: Caller, server: Misbehaving) -> None:
    server.generate = sends(dialect.head + dialect.piece("one") + dialect.piece(" two") + dialect.end())
    for cached in (False, True):
        async with caller.stream(cache=True, options={"temperature": 0}) as stream:
            pieces, body = await stream.rest()
        reply = msgspec.json.decode(body, type=GenerateReply)
        assert ("".join(pieces), reply.response, reply.cached) == ("one two", "one two", cached)
    assert len(server.asked) == 1


async def test_many_streams_at_once(nc: Client, caller: Caller, server: Misbehaving) -> None:
    dialect = Ollama()
    server.generate = repeats(dialect.head, dialect.piece("on and on "), 0.02)
    async with serving(nc, server.url, parallel=200):

        async def one() -> None:
            async with caller.stream() as stream:
                for _ in range(3):
                    await stream.piece()

        await asyncio.gather(*(one() for _ in range(200)))
        async with asyncio.timeout(20):
            while (await caller.models()).servers[0].running:
                pass


async def test_nats_goes_in_the_middle_of_a_stream(own_nats: RestartableNats, server: Misbehaving) -> None:
    dialect = Ollama()
    server.generate = repeats(dialect.head, dialect.piece("on and on "), 0.005)
    async with _own_broker(own_nats, server) as caller, caller.stream() as stream:
        await stream.piece()
        await own_nats.restart()
        error = await _end_of(stream)
        assert (error.code, error.message) == (
            AIErrorCode.UNAVAILABLE, "the connection to NATS was lost in the middle of the stream",
        )  # fmt: skip
        await left(server)
        await well_again(caller, server, dialect)


@asynccontextmanager
async def _own_broker(own_nats: RestartableNats, server: Misbehaving) -> AsyncIterator[Caller]:
    readers: list[Readers] = []

    async def disconnected() -> None:
        for each in readers:
            each.interrupt()

    brokers = await bus.connect(own_nats.server.url, "broker", on_disconnect=disconnected)
    nc = await bus.connect(own_nats.server.url, "test")
    try:
        readers.append(Readers(brokers))
        async with serving(brokers, server.url, readers=readers[0], parallel=1):
            yield Caller(nc)
    finally:
        await nc.close()
        await brokers.close()


async def _end_of(stream: Stream) -> AIFailure:
    """The error in which a stream ends; pieces before it may be missing."""
    async with asyncio.timeout(20):
        while True:
            try:
                return await stream.failure()
            except TimeoutError:
                continue


async def _asked(server: Misbehaving) -> None:
    async with asyncio.timeout(10):
        while not server.asked:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.002)
