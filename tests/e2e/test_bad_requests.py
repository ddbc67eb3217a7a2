"""What callers may do wrong; each gets its answer, and the next call works."""

import asyncio
import json
from collections.abc import AsyncIterator

import httpx
import pytest
from nats.aio.client import Client

from tests.e2e.plugins import ECHO, UPPER, assert_problem, call, deploy
from tests.support.platform import Platform

BAD_NAMES = ["a b", "a.b", "*", ">", "-x", "_x", "ä", "x" * 65, "..%2Fx", "a%0Ab", "%00", "a%2Fb", "name%20"]
LIMIT = 1024 * 1024


@pytest.fixture(autouse=True)
async def the_next_call_works(http: httpx.AsyncClient) -> AsyncIterator[None]:
    yield
    await deploy(http, "bad-next", UPPER)
    assert (await call(http, "bad-next", "next")).text == "NEXT"


async def test_unknown_plugin(http: httpx.AsyncClient, nc: Client) -> None:
    problem = assert_problem(await call(http, "unknown", "x"), 404, "not_found", "'unknown'")
    assert "unknown" in problem["detail"]
    reply = await nc.request("wasmforge.fn.unknown", b"x", timeout=10)
    assert reply.headers is not None
    assert reply.headers["Wasmforge-Error-Type"] == "not_found"
    assert reply.headers["Nats-Service-Error-Code"] == "404"
    form = await http.post("/api/plugins/run", data={"plugin_name": "unknown", "input_data": "x"})
    assert (form.status_code, set(form.json())) == (404, {"detail"})


@pytest.mark.parametrize("name", BAD_NAMES)
async def test_bad_name(http: httpx.AsyncClient, name: str) -> None:
    reply = await http.post(f"/fn/{name}", content=b"x")
    assert reply.status_code in (400, 404)
    assert reply.json()["error_type"] in ("invalid_input", "not_found")
    for reply in (await http.get(f"/api/plugins/{name}/code"), await http.delete(f"/api/plugins/{name}")):
        assert (reply.status_code, set(reply.json())) == (404, {"detail"})
    uploaded = await http.post("/api/plugins/upload", files={"file": ("x.py", b"1")}, data={"name": name})
    assert (uploaded.status_code, set(uploaded.json())) == (400, {"detail"})


async def test_bad_name_over_nats(nc: Client) -> None:
    reply = await nc.request("wasmforge.fn.-x", b"x", timeout=10)
    assert reply.headers is not None
    assert reply.headers["Wasmforge-Error-Type"] == "invalid_input"
    assert b"'-x'" in reply.data


@pytest.mark.parametrize(
    ("source", "place"),
    [
        ("x = 1\ny = = 2\n", "line 2, column 5: "),
        ("def f(:\n  pass\n", "line 1, column 7: "),
        ("def f():\nreturn 1\n", "line 2, column 1: "),
        ("return 1\n", "line 1, column 1: "),
        ("x = '\n", "line 1, column 5: "),
        ("x = 1\nimport numpy\n", "line 2, column 8: there is no module 'numpy'"),
        ("def f():\n  import ctypes\n", "line 2, column 10: module 'ctypes' can't be imported"),
        ("if True:\n\tx = 1\n        y = 2\n", "line 3"),
        ("# coding: no-such\nx = 1\n", ""),
        ("(" * 5000, ""),
        ("x = " + "-" * 200_000 + "1", ""),
    ],
)
async def test_source_that_does_not_compile(http: httpx.AsyncClient, source: str, place: str) -> None:
    reply = await http.post("/api/plugins/upload", files={"file": ("bad-source.py", source.encode())})
    if place:
        assert reply.status_code == 400
        assert reply.json()["detail"].startswith(place)
    else:
        # It may compile or not; it must not be a fault of the platform.
        assert reply.status_code in (200, 400), reply.text
        await http.delete("/api/plugins/bad-source")
    assert (await http.get("/api/plugins/bad-source/code")).status_code == 404


@pytest.mark.parametrize("source", [b"\xff\xfe", b"x = '\x00'", b"", b" \n\t\n", b"x = '\xe4'", bytes(range(256))])
async def test_source_that_is_no_text(http: httpx.AsyncClient, source: bytes) -> None:
    reply = await http.post("/api/plugins/upload", files={"file": ("no-text.py", source)})
    assert (reply.status_code, set(reply.json())) == (400, {"detail"})


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        (
            "multipart/form-data; boundary=b",
            b'--b\r\ncontent-disposition: form-data; name="x"\r\n\r\ny\r\n--b--\r\n',
            422,
        ),
        ("multipart/form-data; boundary=b", b"--b--\r\n", 422),
        (
            "multipart/form-data; boundary=b",
            b'--b\r\ncontent-disposition: form-data; name="file"; filename="a.py"\r\n',
            400,
        ),
        ("multipart/form-data; boundary=b", b"", 400),
        ("multipart/form-data; boundary=b", bytes(range(256)) * 50, 400),
        ("multipart/form-data", b"--b--\r\n", 400),
        ("application/json", b'{"file": "x"}', 400),
        ("", b"", 400),
        ("application/x-www-form-urlencoded", b"file=x", 422),
        ("application/x-www-form-urlencoded", b"&".join([b"a=1"] * 100_000), 400),
    ],
)
async def test_a_form_without_its_file(http: httpx.AsyncClient, kind: str, body: bytes, status: int) -> None:
    reply = await http.post("/api/plugins/upload", content=body, headers={"Content-Type": kind})
    assert reply.status_code == status, reply.text
    assert "detail" in reply.json()


@pytest.mark.parametrize(
    "body", [b"", b"plugin_name=", b"input_data=x", b"plugin_name=%ff", b"plugin_name", b"%%%&&&==="]
)
async def test_a_run_without_a_plugin(http: httpx.AsyncClient, body: bytes) -> None:
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    reply = await http.post("/api/plugins/run", content=body, headers=kind)
    assert reply.status_code in (400, 404, 422)
    assert "detail" in reply.json()


@pytest.mark.parametrize(
    "body", [b"", b"\0", bytes(range(256)), b"\xff\xfe\xfd", b"\r\n" * 1000, "ä\u2028\U0001f600".encode()]
)
async def test_any_body_comes_back_as_it_was(http: httpx.AsyncClient, nc: Client, body: bytes) -> None:
    await deploy(http, "bad-echo", ECHO)
    assert (await call(http, "bad-echo", body)).content == body
    assert (await nc.request("wasmforge.fn.bad-echo", body, timeout=10)).data == body


async def test_invalid_utf8_reaches_a_plugin_that_wants_text(http: httpx.AsyncClient) -> None:
    await deploy(http, "bad-text", UPPER)
    assert (await call(http, "bad-text", b"a\xffb")).text == "A\ufffdB"
    form = b"plugin_name=bad-text&input_data=a%ffb"
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    reply = await http.post("/api/plugins/run", content=form, headers=kind)
    assert reply.json()["output"] == "A\ufffdB"


async def test_the_largest_body_and_one_byte_more(http: httpx.AsyncClient, nc: Client) -> None:
    await deploy(http, "bad-echo", ECHO)
    largest = bytes(range(256)) * (LIMIT // 256)
    assert (await call(http, "bad-echo", largest)).content == largest
    assert_problem(await call(http, "bad-echo", largest + b"x"), 413, "too_large", "1,048,577", "1,048,576")
    reply = await nc.request("wasmforge.fn.bad-echo", largest + b"x", timeout=10)
    assert reply.headers is not None
    assert reply.headers["Wasmforge-Error-Type"] == "too_large"
    form = await http.post("/api/plugins/run", data={"plugin_name": "bad-echo", "input_data": b"x" * (LIMIT + 1)})
    assert (form.json()["success"], form.json()["error_type"]) == (False, "too_large")


@pytest.mark.parametrize("framing", ["Content-Length: 99999999999", "Transfer-Encoding: chunked"])
async def test_a_huge_body_is_refused_before_it_is_sent(stack: Platform, framing: str) -> None:
    port = httpx.URL(stack.http_url).port
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"POST /fn/bad-echo HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n\r\n".encode())
    answer = asyncio.create_task(reader.readuntil(b"\r\n"))
    sent = 0
    if "chunked" in framing:
        chunk = b"%x\r\n%s\r\n" % (LIMIT // 4, b"x" * (LIMIT // 4))
        while not answer.done() and sent < 100 * LIMIT:
            writer.write(chunk)
            await writer.drain()
            sent += LIMIT // 4
    # Its name has changed between versions of Python.
    assert (await asyncio.wait_for(answer, 5)).startswith(b"HTTP/1.1 413 ")
    assert sent < 100 * LIMIT
    writer.close()


@pytest.mark.parametrize(
    ("header", "value", "status"),
    [
        ("timeout_ms", "0", 400),
        ("timeout_ms", "-5", 400),
        ("timeout_ms", "soon", 400),
        ("timeout_ms", "9" * 400, 400),
        ("revision", "0" * 64, 404),
        ("revision", "newest", 404),
        ("caller", "x" * 500, 400),
    ],
)
async def test_bad_headers(http: httpx.AsyncClient, header: str, value: str, status: int) -> None:
    await deploy(http, "bad-headers", UPPER)
    error_type = {400: "invalid_input", 404: "not_found"}[status]
    assert_problem(await call(http, "bad-headers", "x", **{header: value}), status, error_type)


@pytest.mark.parametrize(
    "limits", ['{"timeout_ms": 0}', '{"timeout_ms": 99999999}', '{"speed": 1}', "[]", "{", '{"memory_bytes": 1000}']
)
async def test_bad_limits(http: httpx.AsyncClient, limits: str) -> None:
    reply = await http.post("/api/plugins/upload", files={"file": ("limits.py", b"1")}, data={"limits": limits})
    assert (reply.status_code, set(reply.json())) == (400, {"detail"})


async def test_wrong_method_and_path(http: httpx.AsyncClient) -> None:
    for method, path, status in (
        ("GET", "/fn/x", 405),
        ("POST", "/fn/a/b", 404),
        ("PUT", "/health", 405),
        ("GET", "/no", 404),
    ):
        reply = await http.request(method, path)
        assert reply.status_code == status
        assert json.loads(reply.text)
