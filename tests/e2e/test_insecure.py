"""The whole platform where there is no WasmEdge, as somebody who develops plugins on such a machine starts it."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.modelserver.running import ModelServer
from tests.support.platform import platform

_NO_WASMEDGE = {
    "WASMFORGE_SANDBOX": "insecure-subprocess",
    "WASMFORGE_WASMEDGE": "/nowhere",
    "WASMFORGE_ENGINES": "/nowhere",
}


@pytest.fixture
async def models(short_folder: Path) -> AsyncIterator[str]:
    """Address of a model server that is not the stack's: its libraries come with the WasmEdge that is not there."""
    server = ModelServer(short_folder)
    await server.start()
    yield server.url
    await server.stop()


async def test_the_main_flow_without_wasmedge(short_folder: Path, models: str) -> None:
    async with (
        platform(short_folder, executors=1, environment=_NO_WASMEDGE | {"OLLAMA_URL": models}) as stack,
        httpx.AsyncClient(base_url=stack.http_url, timeout=30) as http,
    ):
        source = b"from platform_sdk import *\nsend_output(get_input().upper())"
        uploaded = await http.post("/api/plugins/upload", files={"file": ("shout.py", source)})
        assert uploaded.status_code == 200, uploaded.text
        called = await http.post("/fn/shout", content=b"abc")
        assert (called.status_code, called.content) == (200, b"ABC")
        refused = await http.post("/api/plugins/upload", files={"file": ("bad.py", b"import numpy")})
        assert refused.status_code == 400, refused.text
        health = (await http.get("/health")).json()
        assert (health["status"], health["wasmedge"], len(health["warnings"])) == ("ok", False, 1), json.dumps(health)
