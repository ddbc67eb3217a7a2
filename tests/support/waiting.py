"""Waiting for something that can only be looked at."""

import asyncio
from collections.abc import Callable


async def until(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    """Return as soon as ``condition()`` holds; fails after ``seconds``."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110  # nobody tells, one has to look
            await asyncio.sleep(0.01)
