"""Every way a model server fails: the code, the sentence, how soon, and that the next call works."""

import asyncio
import gzip

import pytest
from nats.aio.client import Client

from schemas.errors import AIErrorCode, AIFailure
from tests.broker.asking import Caller, serving
from tests.broker.misbehaving import (
    CHUNKED,
    Behaviour,
    Misbehaving,
    answer,
    hangs,
    hangs_after,
    http,
    repeats,
    sends,
    sends_and_closes,
)
from tests.modelserver.running import free_port

DEEP = b"[" * 100_000
BOMB = gzip.compress(b" " * 50_000_000)

BROKEN, AWAY = AIErrorCode.BROKEN_REPLY, AIErrorCode.UNAVAILABLE
NOT_OLLAMA = "not what Ollama's API says"
TOO_MUCH = "more than 2,097,152 bytes"

FAILURES: dict[str, tuple[Behaviour, AIErrorCode, str]] = {
    "closes at once": (sends_and_closes(b""), AWAY, "closed the connection without an answer"),
    "breaks off in the head": (
        sends_and_closes(b"HTTP/1.1 200 OK\r\nContent-Le"), AWAY, "without an answer",
    ),
    "breaks off in the body": (sends_and_closes(answer()[:-5]), BROKEN, "breaks off"),
    "breaks off in a chunk": (sends_and_closes(CHUNKED + b"40\r\n{"), BROKEN, "breaks off"),
    "is not HTTP": (sends(b"220 mail.example ESMTP\r\n\r\n"), BROKEN, "not HTTP"),
    "sends endless headers": (
        repeats(b"HTTP/1.1 200 OK\r\n", b"X-Y: " + b"z" * 500 + b"\r\n"), BROKEN, "not HTTP",
    ),
    "does not know the model": (
        sends(http({"error": "model 'smollm2:135m' not found"}, 404)), AIErrorCode.MODEL_NOT_FOUND,
        "does not have 'smollm2:135m': model 'smollm2:135m' not found",
    ),
    "is another server": (sends(http("<html>404</html>", 404)), BROKEN, "is this Ollama?"),
    "refuses": (sends(http({"error": "invalid options"}, 400)), AIErrorCode.REFUSED, "HTTP 400: invalid options"),
    "wants a password": (sends(http("", 401)), AIErrorCode.REFUSED, "HTTP 401"),
    "repeats the key": (
        sends(http({"error": {"message": "Incorrect API key provided: s3cret"}}, 401)), AIErrorCode.REFUSED, "HTTP 401",
    ),
    "refuses with 200": (sends(http({"error": "out of memory"})), AIErrorCode.REFUSED, "out of memory"),
    "fails": (sends(http({"error": "llama runner\nis gone"}, 500)), AWAY, "HTTP 500: llama runner is gone"),
    "fails without a word": (sends(http("", 502)), AWAY, "HTTP 502"),
    "fails at length": (sends(http({"error": "x" * 100_000}, 500)), AWAY, "x" * 300),
    "is busy": (sends(http({"error": "server busy"}, 503)), AIErrorCode.BUSY, "is busy: server busy"),
    "counts calls": (sends(http("", 429)), AIErrorCode.BUSY, "is busy"),
    "redirects": (sends(http("", 307, Location="http://127.0.0.1:1/")), BROKEN, "redirects"),
    "sends broken JSON": (sends(http('{"response": "x", "done": tr')), BROKEN, NOT_OLLAMA),
    "sends nothing": (sends(http("")), BROKEN, NOT_OLLAMA),
    "sends a list": (sends(http([1])), BROKEN, NOT_OLLAMA),
    "sends a web page": (sends(http("<html>hello</html>")), BROKEN, NOT_OLLAMA),
    "sends a number for the text": (sends(answer(response=5)), BROKEN, NOT_OLLAMA),
    "sends text for a count": (sends(answer(eval_count="9")), BROKEN, NOT_OLLAMA),
    "sends no text": (sends(http({"done": True})), BROKEN, "has no text"),
    "sends half an answer": (sends(answer(done=False)), BROKEN, "is not complete"),
    "sends invalid UTF-8": (sends(http(b'{"response": "\xff\xfe", "done": true}')), BROKEN, NOT_OLLAMA),
    "nests deep": (sends(http(DEEP)), BROKEN, NOT_OLLAMA),
    "streams instead": (
        sends(http('{"response":"a","done":false}\n{"response":"b","done":true}\n')), BROKEN, NOT_OLLAMA,
    ),
    "never ends": (repeats(CHUNKED, b"1000\r\n" + b" " * 4096 + b"\r\n"), BROKEN, TOO_MUCH),
    "promises gigabytes": (
        repeats(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", b" " * 65536), BROKEN, TOO_MUCH,
    ),
    "sends a gzip bomb": (sends(http(BOMB, Content_Encoding="gzip")), BROKEN, "compressed"),
    "sends unknown coding": (sends(http("x", Content_Encoding="br, gzip")), BROKEN, "compressed"),
}  # fmt: skip

HANGS: dict[str, Behaviour] = {
    "before the answer": hangs,
    "in the head": hangs_after(b"HTTP/1.1 200 OK\r\nContent-Type: appl"),
    "after the head": hangs_after(answer().partition(b"{")[0]),
    "in the body": hangs_after(answer()[:-5]),
    "drop by drop": repeats(CHUNKED, b"1\r\n \r\n", 0.02),
    "with endless interim answers": repeats(b"", b"HTTP/1.1 102 Processing\r\n\r\n", 0.02),
}


@pytest.mark.usefixtures("broker")
@pytest.mark.parametrize("how", FAILURES)
async def test_a_server_that(how: str, caller: Caller, server: Misbehaving) -> None:
    behaviour, code, says = FAILURES[how]
    server.generate = behaviour
    error = await caller.fails_at_once(code)
    assert says in error.message
    assert "\n" not in error.message
    assert len(error.message) < 500
    assert "s3cret" not in error.message

    server.generate = sends(answer("well again"))
    assert (await caller.generate()).response == "well again"


@pytest.mark.usefixtures("broker")
@pytest.mark.parametrize("where", HANGS)
async def test_a_server_that_hangs(where: str, caller: Caller, server: Misbehaving) -> None:
    server.generate = HANGS[where]
    error = await caller.fails_at_once(AIErrorCode.TIMEOUT, timeout_ms=300)
    assert error.message == "model mistral:latest did not answer within 0.294 s"
    # The server is told, so that it can stop.
    async with asyncio.timeout(5):
        await server.left.wait()

    server.generate = sends(answer("well again"))
    assert (await caller.generate()).response == "well again"


async def test_a_server_that_is_away(nc: Client, caller: Caller) -> None:
    server = Misbehaving(port=free_port())
    async with serving(nc, server.url):
        error = await caller.fails_at_once(AIErrorCode.UNAVAILABLE)
        assert f"the model server at {server.url} can't be reached" in error.message
        async with server.running():
            assert (await caller.generate()).response == "fine"
        await caller.fails_at_once(AIErrorCode.UNAVAILABLE)
        async with server.running():
            assert (await caller.generate()).response == "fine"


async def test_a_server_whose_name_is_unknown(nc: Client, caller: Caller) -> None:
    async with serving(nc, "http://nosuch.invalid:11434"):
        error = await caller.failure(timeout_ms=20_000)
        assert error.code is AIErrorCode.UNAVAILABLE
        assert "http://nosuch.invalid:11434 can't be reached" in error.message


async def test_a_redirect_is_not_followed(nc: Client, caller: Caller, server: Misbehaving) -> None:
    async with Misbehaving().running() as elsewhere, serving(nc, server.url):
        server.generate = sends(http("", 307, Location=f"{elsewhere.url}/api/generate"))
        await caller.fails_at_once(AIErrorCode.BROKEN_REPLY)
        assert elsewhere.connections == 0


async def test_proxies_of_the_environment_are_not_used(
    nc: Client, caller: Caller, server: Misbehaving, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    async with serving(nc, server.url):
        assert (await caller.generate()).response == "fine"


async def test_a_password_in_the_address_is_used_and_never_shown(
    nc: Client, caller: Caller, server: Misbehaving
) -> None:
    url = server.url.replace("http://", "http://bob:secret@")
    async with serving(nc, url):
        await caller.generate()
        assert server.asked[-1].headers["authorization"].startswith("basic ")
        assert (await caller.models()).url == server.url
        server.generate = sends(http("", 500))
        error = await caller.failure()
        assert "secret" not in error.message


@pytest.mark.usefixtures("broker")
async def test_busy_says_when_to_try_again(caller: Caller, server: Misbehaving) -> None:
    server.generate = sends(http({"error": "server busy"}, 503))
    error = await caller.failure()
    assert isinstance(error, AIFailure)
    assert error.retry_after_seconds == 1


@pytest.mark.usefixtures("broker")
async def test_cookies_are_not_kept(caller: Caller, server: Misbehaving) -> None:
    server.generate = sends(http({"response": "x", "done": True}, Set_Cookie="a=b"))
    await caller.generate()
    await caller.generate()
    assert "cookie" not in server.asked[-1].headers
