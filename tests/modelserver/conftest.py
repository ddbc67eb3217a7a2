"""One model server for all tests of this folder."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import ollama
import pytest

from tests.modelserver.running import ModelServer, running_modelserver


@pytest.fixture(scope="session")
async def modelserver(session_folder: Path) -> AsyncIterator[ModelServer]:
    """A running model server with room for one waiting request per slot."""
    async with running_modelserver(
        session_folder, WASMFORGE_MODELSERVER_SLOTS="2", WASMFORGE_MODELSERVER_QUEUE="2"
    ) as server:
        yield server


@pytest.fixture
async def client(modelserver: ModelServer) -> AsyncIterator[ollama.AsyncClient]:
    """The official client."""
    async with ollama.AsyncClient(host=modelserver.url, timeout=60, trust_env=False) as client:
        yield client


@pytest.fixture
async def http(modelserver: ModelServer) -> AsyncIterator[httpx.AsyncClient]:
    """A plain HTTP client."""
    async with httpx.AsyncClient(base_url=modelserver.url, timeout=60, trust_env=False) as http:
        yield http
