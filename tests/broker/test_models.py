"""The list of models: always there within a second, and right."""

import asyncio

import pytest
from nats.aio.client import Client

from tests.broker.asking import Caller, serving
from tests.broker.misbehaving import Behaviour, Misbehaving, hangs, hangs_after, http, repeats, sends, sends_and_closes
from tests.modelserver.running import free_port


@pytest.mark.usefixtures("broker")
async def test_the_list_tells_who_really_answers(caller: Caller) -> None:
    reply = await caller.models()
    assert reply.connected is True
    assert reply.error is None
    assert reply.server_models == ["smollm2:135m"]
    assert [(model.name, model.type, model.available, model.answered_by) for model in reply.models] == [
        ("mistral:latest", "code", True, "smollm2:135m"),
        ("qwen2.5:1.5b", "text", True, "smollm2:135m"),
        ("gemma2:2b", "text", True, "smollm2:135m"),
        ("llama3.2:latest", "text", True, "smollm2:135m"),
        ("smollm2:135m", "text", True, "smollm2:135m"),
    ]
    assert reply.models[0].description == "code review, generation, debugging"


async def test_only_what_the_server_has_is_available(nc: Client, caller: Caller, server: Misbehaving) -> None:
    server.tags = sends(http({"models": [{"name": "mistral"}, {"name": "gemma2:2b"}, {"name": "other:1b"}]}))
    async with serving(nc, server.url, environment={"WASMFORGE_MODEL_ALIASES": ""}):
        reply = await caller.models()
        assert [model.name for model in reply.models if model.available] == ["mistral:latest", "gemma2:2b"]
        assert [model.answered_by for model in reply.models] == ["mistral:latest", None, "gemma2:2b", None]
        assert reply.server_models == ["mistral", "gemma2:2b", "other:1b"]


async def test_it_is_not_asked_for_again_at_once(nc: Client, caller: Caller, server: Misbehaving) -> None:
    async with serving(nc, server.url):
        await asyncio.gather(*(caller.models() for _ in range(10)))
        assert server.checks.count("/api/tags") == 1


@pytest.mark.parametrize(
    ("behaviour", "says"),
    [
        (hangs, "does not answer"),
        (hangs_after(http({"models": []})[:-3]), "does not answer"),
        (sends_and_closes(b""), "closed the connection"),
        (sends(http({"models": [{"nam": "x"}]})), "its list of models"),
        (sends(http("hello")), "its list of models"),
        (sends(http("", 500)), "HTTP 500"),
        (sends(http("", 404)), "is this Ollama?"),
        (repeats(b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n", b" " * 65536), "more than 2,097,152 bytes"),
    ],
)
async def test_a_server_that_misbehaves(
    nc: Client, caller: Caller, server: Misbehaving, behaviour: Behaviour, says: str
) -> None:
    server.tags = behaviour
    async with serving(nc, server.url):
        reply = await caller.models()
        assert reply.connected is False
        assert says in (reply.error or "")
        assert not any(model.available for model in reply.models)
        assert len(reply.models) == 5
        # And a generation does not care.
        assert (await caller.generate()).response == "fine"


async def test_a_server_that_is_away_and_comes(nc: Client, caller: Caller) -> None:
    server = Misbehaving(port=free_port())
    async with serving(nc, server.url):
        reply = await caller.models()
        assert reply.connected is False
        assert "can't be reached" in (reply.error or "")
        assert reply.url == server.url
        async with server.running(), asyncio.timeout(5):
            while not (await caller.models()).connected:
                pass
        async with asyncio.timeout(5):
            while (await caller.models()).connected:
                pass


async def test_an_empty_server(nc: Client, caller: Caller, server: Misbehaving) -> None:
    server.tags = sends(http({"models": None}))
    async with serving(nc, server.url):
        reply = await caller.models()
        assert reply.connected is True
        assert reply.server_models == []
