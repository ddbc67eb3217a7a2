"""What a plugin asks for is held as bytes while a model takes its time: hostile JSON is not made into objects."""

import asyncio
import tracemalloc

import pytest

from executor.ai import AICalls
from executor.sandbox.world import Start
from executor.tape import RecordedCalls
from tests.executor.sandboxed import Bus

_LISTS = b",".join([b"[]"] * 300_000)
"""A megabyte that would be some twenty as objects."""


@pytest.mark.parametrize("recorded", [False, True], ids=["ordinary", "recorded"])
@pytest.mark.parametrize(
    "request_",
    [
        b'{"operation": "generate", "arguments": {"model": "m", "prompt": "p", "unknown": [%s]}}',
        b'{"operation": "chat", "arguments": {"model": "m", "messages": [], "format": [%s]}}',
        b'{"operation": "map", "arguments": {"model": "m", "prompts": ["p"], "format": [%s]}}',
        b'{"operation": "stream", "arguments": {"model": "m", "prompt": "p", "options": {"a": [%s]}}}',
    ],
    ids=["generate", "chat", "map", "stream"],
)
async def test_a_request_that_waits_takes_a_few_times_its_size(request_: bytes, recorded: bool) -> None:
    asked = asyncio.Event()

    async def answer(_subject: str, _body: bytes) -> bytes:
        asked.set()
        await asyncio.Event().wait()
        return b""

    payload = request_ % _LISTS
    ai = RecordedCalls(Bus(answer), 5, {}, Start.now()) if recorded else AICalls(Bus(answer), 5, {})
    tracemalloc.start()
    try:
        asking = asyncio.create_task(ai.answer(payload, asyncio.get_running_loop().time() + 60))
        await asked.wait()
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    asking.cancel()
    await asyncio.wait((asking,))
    assert held < 6 * len(payload), f"{held:,} bytes for a request of {len(payload):,}"
