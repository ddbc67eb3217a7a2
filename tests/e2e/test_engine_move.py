"""A better engine appears while calls run: executors move over to it and no call is dropped."""

import os
import shutil
from pathlib import Path

from deploy.places import Places
from executor.engine.cache import engine_path
from tests.e2e.plugins import deploy, http_client
from tests.e2e.waiting import WORK, steady_load, until
from tests.support.platform import platform


async def test_no_call_is_dropped(short_folder: Path) -> None:
    real = Places.read(os.environ).engines
    engines = short_folder / "engines"
    engines.mkdir()
    quick, better = engine_path(engines, 0), engine_path(engines, 2)
    shutil.copy(engine_path(real, 0), quick)
    # Where the real one is not compiled yet, the quick one under the better one's name is moved over to just so.
    prepared = engines / "prepared"
    shutil.copy(next(path for level in (2, 0) if (path := engine_path(real, level)).exists()), prepared)

    async with platform(short_folder, executors=2, environment={"WASMFORGE_ENGINES": str(engines)}) as stack:
        async with http_client(stack.http_url) as http:
            await deploy(http, "move-work", WORK)

        async def all_moved() -> bool:
            return all(f"moved over to engine {better.name}" in stack.log(f"executor-{number}") for number in (1, 2))

        assert not await all_moved()
        async with steady_load(stack.http_url, "move-work", 8, (0.005, 0.05)) as load:
            await load.more(50)
            os.link(prepared, better)
            await until(all_moved, "both executors moved over", 60)
            await load.more(50)
    assert [answer.reply.text for answer in load.answers] == [answer.expected for answer in load.answers]
