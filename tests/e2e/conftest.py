"""Clients of the running platform that these tests look at it through."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import nats
import pytest
from nats.aio.client import Client

from tests.e2e.plugins import http_client
from tests.support.platform import Platform, platform


@pytest.fixture(scope="session")
async def http(stack: Platform) -> AsyncIterator[httpx.AsyncClient]:
    """A plain HTTP client of the shared platform."""
    async with http_client(stack.http_url) as client:
        yield client


@pytest.fixture(scope="session")
async def nc(stack: Platform) -> AsyncIterator[Client]:
    """A plain NATS client of the shared platform."""
    client = await nats.connect(stack.nats_url)
    yield client
    await client.close()


@pytest.fixture(scope="package")
async def breakable(session_folder: Path) -> AsyncIterator[Platform]:
    """A platform with two executors whose parts tests take down or kill; each leaves it well again."""
    async with platform(session_folder / "breakable", executors=2) as running:
        yield running
