"""The built web app: served compressed, for every path of its own, under a strict policy, beside the API."""

import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from gateway.settings import Settings
from tests.gateway.conftest import NO_DATABASE, running_gateway

PAGE = {"Accept": "text/html,*/*"}


@pytest.fixture(scope="module")
async def web(own_nats_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx.AsyncClient]:
    folder = tmp_path_factory.mktemp("dist")
    _write(folder / "index.html", b"<!doctype html><title>web app</title>")
    _write(folder / "landing.html", b"<!doctype html><title>web app</title><h1>made by the build</h1>")
    _write(folder / "assets" / "index-abc.js", b"console.log(1);" * 100)
    _write(folder / "assets" / "index-abc.js.gz", gzip.compress(b"console.log(1);" * 100))
    async with running_gateway(Settings(nats=own_nats_url, database=NO_DATABASE, web=folder)) as running:
        yield running.http


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("path", "inside"),
    [
        ("/", "<h1>made by the build</h1>"),
        ("/?from=somewhere", "<h1>made by the build</h1>"),
        ("/builder", ""),
        ("/plugins/some-name", ""),
        ("/run/a.b?input=x", ""),
        ("/landing.html", ""),
        ("/index.html", ""),
    ],
)
async def test_every_path_of_its_own_is_the_app(web: httpx.AsyncClient, path: str, inside: str) -> None:
    reply = await web.get(path, headers=PAGE)
    assert (reply.status_code, reply.text) == (200, f"<!doctype html><title>web app</title>{inside}")
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert reply.headers["cache-control"] == "no-cache"
    policy = dict(part.strip().split(" ", 1) for part in reply.headers["content-security-policy"].split(";"))
    assert policy["script-src"] == policy["default-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["object-src"] == "'none'"


async def test_what_has_a_digest_in_its_name_is_kept_for_ever_and_comes_compressed(web: httpx.AsyncClient) -> None:
    plain = await web.get("/assets/index-abc.js", headers={"Accept-Encoding": "identity"})
    packed = await web.get("/assets/index-abc.js", headers={"Accept-Encoding": "br, gzip;q=0.5"})
    assert plain.headers["content-type"] == "text/javascript; charset=utf-8"
    assert "immutable" in plain.headers["cache-control"]
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.text == plain.text == "console.log(1);" * 100
    assert packed.headers["etag"] != plain.headers["etag"]
    again = await web.get(
        "/assets/index-abc.js", headers={"Accept-Encoding": "gzip", "If-None-Match": packed.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")


async def test_a_coding_of_no_weight_is_not_sent(web: httpx.AsyncClient) -> None:
    for refused in ("gzip;q=0", "br, gzip; q=0.00", ""):
        reply = await web.get("/assets/index-abc.js", headers={"Accept-Encoding": refused})
        assert "content-encoding" not in reply.headers, refused


@pytest.mark.parametrize("path", ["/assets/other.js", "/%2e%2e/settings.py", "/nowhere"])
async def test_what_is_not_there_is_not_there(web: httpx.AsyncClient, path: str) -> None:
    reply = await web.get(path)
    assert reply.status_code == 404
    assert "detail" in reply.json()


@pytest.mark.parametrize(("path", "status"), [("/api/nowhere", 404), ("/fn/x", 405), ("/health/ollama", 200)])
async def test_paths_of_the_api_are_never_the_app(web: httpx.AsyncClient, path: str, status: int) -> None:
    reply = await web.get(path, headers=PAGE)
    assert reply.status_code == status
    assert "json" in reply.headers["content-type"]


async def test_head_has_no_body(web: httpx.AsyncClient) -> None:
    reply = await web.head("/")
    assert (reply.status_code, reply.content) == (200, b"")
    assert int(reply.headers["content-length"]) > 0
