"""One pool of sandboxes for the whole suite: that hundreds of attacks share it is a part of the test."""

from collections.abc import AsyncIterator

import pytest

from executor.pool import Pool
from tests.security.running import Runner, places


def pytest_configure(config: pytest.Config) -> None:
    """Declare the mark of what only ``make test-long`` runs."""
    config.addinivalue_line("markers", "long: takes minutes; left out unless asked for with -m long")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the long ones out unless the command line chooses by marks."""
    if config.option.markexpr:
        return
    left_out = [item for item in items if item.get_closest_marker("long")]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("long")]


@pytest.fixture(scope="session")
async def security_pool() -> AsyncIterator[Pool]:
    """A warm pool."""
    wasmedge, engine = places()
    pool = Pool(wasmedge, engine)
    await pool.use_engine(engine)
    yield pool
    await pool.close()


@pytest.fixture(scope="session")
def run(security_pool: Pool) -> Runner:
    """Runs plugins: ``await run(plugin, data)``."""
    return Runner(security_pool)
