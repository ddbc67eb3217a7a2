"""What every request passes: ids, CORS, pages, the access log, and the last net for errors."""

import asyncio
import contextlib
import logging
import re

import pytest

from gateway import pages, protocol
from gateway.bodies import Budget
from gateway.health import HealthCheck
from gateway.settings import Settings
from schemas.errors import Busy
from tests.gateway.conftest import NO_DATABASE, Running, running_gateway, until
from tests.gateway.scripted import Executor


async def test_request_ids(calls: Running) -> None:
    reply = await calls.http.get("/health", headers={"X-Request-Id": "my-id_1.2"})
    assert reply.headers["x-request-id"] == "my-id_1.2"
    made = {(await calls.http.get("/health")).headers["x-request-id"] for _ in range(3)}
    assert len(made) == 3
    for bad in ("a b", "x" * 129, ""):
        reply = await calls.http.get("/nowhere", headers={"X-Request-Id": bad})
        assert re.fullmatch("[0-9a-f]{32}", reply.headers["x-request-id"])


async def test_any_page_may_call_the_api(calls: Running, executor: Executor) -> None:
    origin = {"Origin": "https://elsewhere.example"}
    reply = await calls.http.post("/fn/f", content=b"", headers=origin)
    assert reply.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in reply.headers
    assert "Wasmforge-Execution-Id" in reply.headers["access-control-expose-headers"]
    assert "Server-Timing" in reply.headers["access-control-expose-headers"]
    asked = origin | {
        "Access-Control-Request-Method": "DELETE",
        "Access-Control-Request-Headers": "wasmforge-timeout-ms,content-type",
    }
    reply = await calls.http.options("/api/plugins/x", headers=asked)
    assert reply.status_code == 200, reply.text
    assert reply.headers["access-control-allow-origin"] == "*"
    assert "DELETE" in reply.headers["access-control-allow-methods"]
    assert "wasmforge-timeout-ms" in reply.headers["access-control-allow-headers"]
    # Errors can be read by pages, too.
    assert (await calls.http.post("/fn/a.b", headers=origin)).headers["access-control-allow-origin"] == "*"


async def test_unknown_paths_and_methods(calls: Running) -> None:
    reply = await calls.http.get("/nowhere")
    assert (reply.status_code, reply.json()) == (404, {"detail": "Not Found"})
    reply = await calls.http.put("/health")
    assert (reply.status_code, reply.json()) == (405, {"detail": "Method Not Allowed"})
    assert "GET" in reply.headers["allow"]
    assert (await calls.http.head("/health")).status_code == 200


async def test_what_nobody_foresaw_is_500_in_the_shape_of_the_route(
    calls: Running, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(_: object) -> None:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(HealthCheck, "get", fail)
    monkeypatch.setattr("gateway.inbox.Inbox.payload_limit", lambda _: 1 / 0)
    reply = await calls.http.get("/health")
    assert reply.status_code == 500
    assert list(reply.json()) == ["detail"]
    assert "secret" not in reply.text
    reply = await calls.http.post("/fn/f", content=b"")
    assert reply.status_code == 500
    assert reply.json()["error_type"] == "runtime_error"
    assert reply.headers["x-request-id"] in caplog.text
    assert "ZeroDivisionError: secret" in caplog.text


async def test_the_access_log_is_off_unless_asked_for(
    own_nats_url: str, calls: Running, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "gateway.access")
    await calls.http.get("/nowhere")
    assert not [record for record in caplog.records if record.name == "gateway.access"]
    settings = Settings(nats=own_nats_url, database=NO_DATABASE, access_log=True)
    async with running_gateway(settings) as running:
        await running.http.get("/no%0Awhere", headers={"X-Request-Id": "this-one"})
    (record,) = [record for record in caplog.records if record.name == "gateway.access"]
    line = record.getMessage()
    assert re.fullmatch(r"127\.0\.0\.1 GET '/no\\nwhere' 404 \d+\.\d ms this-one", line)


async def test_pages_load_nothing_from_elsewhere(calls: Running) -> None:
    home = await calls.http.get("/")
    assert home.status_code == 200
    docs = await calls.http.get("/docs")
    assert docs.status_code == 200
    for page in (home, docs):
        assert page.headers["content-type"].startswith("text/html")
        policy = page.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'")
        assert "http" not in policy
        assert not re.search(r"(?:src|href)=\"(?:https?:)?//", page.text)
    parts = re.findall(r'(?:src|href)="([^"]+)"', docs.text)
    assert len(parts) == 4
    for part in parts:
        reply = await calls.http.get(f"/{part}")
        assert reply.status_code == 200, part
        assert reply.content
    assert "openapi.json" in (await calls.http.get("/docs/start.js")).text
    for link in re.findall(r'href="([^"]+)"', home.text):
        assert (await calls.http.get(f"/{link}")).status_code in (200, 503), link
    assert (await calls.http.get("/docs/../../__init__.py")).status_code == 404
    assert (await calls.http.get("/docs/%2e%2e/__init__.py")).status_code == 404


async def test_without_swagger_the_page_says_so(own_nats_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "swagger_folder", lambda: None)
    async with running_gateway(Settings(nats=own_nats_url, database=NO_DATABASE)) as running:
        reply = await running.http.get("/docs")
        assert reply.status_code == 200, reply.text
        assert "flask-swagger-ui" in reply.text


async def talk(port: int, data: bytes) -> bytes:
    """Everything that comes back until the gateway closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    async with asyncio.timeout(5):
        answer = await reader.read()
    writer.close()
    return answer


@pytest.mark.parametrize(
    "data",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST /fn/f HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
        b"\0" * 1000,
    ],
)
async def test_what_is_not_http_is_400(calls: Running, data: bytes) -> None:
    assert (await talk(calls.port, data)).startswith(b"HTTP/1.1 400 ")


async def test_an_endless_head_is_cut_off(calls: Running) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", calls.port)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n")
    with_answer = asyncio.create_task(reader.read())
    try:
        async with asyncio.timeout(10):
            while not with_answer.done():
                writer.write(b"X-More: " + b"y" * 1000 + b"\r\n")
                await writer.drain()
    except ConnectionError:
        pass
    # A client that is still sending may see only that the connection is gone.
    with contextlib.suppress(ConnectionError):
        assert (await with_answer)[:13] in (b"", b"HTTP/1.1 400 ")
    await until(lambda: len(calls.server.server_state.connections) <= 1)
    writer.close()


async def test_a_request_that_does_not_arrive_is_not_waited_for(
    calls: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "REQUEST_SECONDS", 0.2)
    for part in (b"", b"POST /fn", b"POST /fn/f HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf"):
        assert await talk(calls.port, part) == b""
    await until(lambda: not calls.server.server_state.tasks)


async def test_a_connection_that_waits_between_requests_is_kept(
    calls: Running, executor: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "REQUEST_SECONDS", 0.2)
    request = b"POST /fn/f HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx"
    reader, writer = await asyncio.open_connection("127.0.0.1", calls.port)
    for _ in range(2):
        writer.write(request)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        assert await reader.readexactly(1) == b"x"
        await asyncio.sleep(0.4)  # longer than a request may take to arrive
    writer.close()


def test_the_budget_of_bodies() -> None:
    budget = Budget(1_000_000)
    with budget.share() as first:
        first.hold(600_000)
        first.hold(900_000)
        with budget.share() as second:
            second.hold(60_000)  # small ones are not counted
            with pytest.raises(Busy):
                second.hold(200_000)
    with budget.share() as third:
        third.hold(1_000_000)
