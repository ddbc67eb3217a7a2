"""Answers of model servers with bytes changed, lost, doubled and moved: each is an answer or an `AIFailure`, soon."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from broker.backends.backend import Backend, Delta
from broker.backends.ollama import Ollama as OllamaBackend
from broker.backends.openai import OpenAI as OpenAIBackend
from schemas.ai import ChatRequest, EmbedRequest, GenerateRequest, Message
from schemas.errors import AIFailure
from tests.broker.dialects import Dialect, Ollama, OpenAI

ROUNDS = 100
INTERESTING = (b"\r\n", b"\n", b"0", b"{", b"}", b"[", b'"', b"\x00", b"\xff", b"null", b"-1", b"1e999", b"data:", b" ")


@pytest.fixture(params=[Ollama(), OpenAI()], ids=lambda dialect: dialect.name)
def dialect(request: pytest.FixtureRequest) -> Dialect:
    """A language."""
    return request.param


def mangled(data: bytes, dice: random.Random) -> bytes:
    """Something like it."""
    for _ in range(dice.randint(1, 4)):
        start = dice.randrange(len(data) + 1)
        end = min(len(data), start + dice.choice((1, 2, 5, 40)))
        match dice.randrange(5):
            case 0:
                data = data[:start] + data[end:]
            case 1:
                data = data[:start] + data[start:end] * dice.choice((2, 50)) + data[end:]
            case 2:
                data = data[:start] + dice.choice(INTERESTING) + data[end:]
            case 3:
                data = data[:start] + bytes(dice.randrange(256) for _ in range(end - start)) + data[end:]
            case 4:
                data = data[start:] + data[:start]
    return data


class Says:
    """A server that sends some bytes to whoever asks, in pieces, and closes."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Of asyncio."""
        try:
            await reader.readuntil(b"\r\n\r\n")
            for piece in self.pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@pytest.fixture
async def says() -> AsyncIterator[tuple[Says, str]]:
    """Such a server, and its address."""
    says = Says()
    server = await asyncio.start_server(says.answer, "127.0.0.1", 0)
    yield says, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()
    await server.wait_closed()


async def ask(backend: Backend, what: int) -> None:
    """One of the things that are asked of a model server."""
    match what:
        case 0 | 1:
            answer = backend.generate("m", GenerateRequest("m", "Hi"), stream=what == 1)
        case 2 | 3:
            answer = backend.chat("m", ChatRequest("m", [Message("user", "Hi")]), stream=what == 3)
        case 4:
            await backend.embed("m", EmbedRequest("m", ["a", "b"]))
            return
        case _:
            await backend.list_models()
            return
    deltas: list[Delta] = []
    async with aclosing(answer):
        async for delta in answer:
            deltas.append(delta)
    assert [delta.done for delta in deltas] == [False] * (len(deltas) - 1) + [True]


async def test_whatever_comes(dialect: Dialect, says: tuple[Says, str]) -> None:
    server, url = says
    backend: Backend = OllamaBackend(url) if dialect.name == "ollama" else OpenAIBackend(url, "key")
    stream = (
        dialect.head + dialect.piece("one ") + dialect.call_pieces("f", {"a": 1}) + dialect.piece("🦜") + dialect.end()
    )
    good = [
        dialect.whole("fine"),
        stream,
        dialect.whole("fine", chat=True, calls=[("f", {"a": 1})]),
        stream,
        dialect.vectors([[1.0], [2.0]]),
        dialect.listing("a", "b"),
    ]
    answered, said = 0, []
    for seed in range(ROUNDS * len(good)):
        dice = random.Random(seed)
        what = seed % len(good)
        data = mangled(good[what], dice) if seed >= len(good) else good[what]
        cut = dice.randrange(len(data) + 1)
        server.pieces = [data[:cut], data[cut:]]
        try:
            async with asyncio.timeout(5):
                await ask(backend, what)
            answered += 1
        except AIFailure as failure:
            said.append(failure.message)
        except BaseException as error:
            raise AssertionError(f"seed {seed}: {server.pieces}") from error
        assert answered or seed, "the good ones are understood"
    assert answered > len(good)
    assert len(said) > ROUNDS
    assert [words for words in said if not words.isprintable() or len(words) > 500] == []
    backend.close()
