"""Print the document, out of the sandbox that the environment names."""

import asyncio
import os
import sys

from executor.kinds import kind_of
from executor.modules.table import table
from executor.pool import Pool
from executor.settings import Settings


async def _main() -> None:
    settings = Settings.read(os.environ)
    kind = kind_of(settings)
    pool = Pool(settings.wasmedge, kind.engine, kind.boot)
    try:
        sys.stdout.write(await table(pool))
    finally:
        await pool.close()


if __name__ == "__main__":
    asyncio.run(_main())
