"""Slots: who waits for something outside gives its own away, and gets one again before it goes on."""

import asyncio
from typing import cast

import pytest
from nats.aio.client import Client

from executor.admission import Admission


async def _free(admission: Admission) -> bool:
    """Whether one more call could compute now."""
    with admission.wait() as place:
        wait = asyncio.create_task(place.take_slot())
        for _ in range(5):
            await asyncio.sleep(0)
        free = wait.done()
        wait.cancel()
        await asyncio.wait((wait,))
        return free


async def test_whoever_goes_on_has_a_slot_also_after_a_failure_outside() -> None:
    admission = Admission(cast(Client, None), slots=1, queue=1, outside=1)
    with admission.wait() as place:
        await place.take_slot()
        for error in (None, ValueError()):
            try:
                async with place.outside():
                    assert await _free(admission)
                    if error is not None:
                        raise error
            except ValueError:
                pass
            assert not await _free(admission)
    assert await _free(admission)


async def test_whoever_is_ended_outside_needs_no_slot_again() -> None:
    admission = Admission(cast(Client, None), slots=1, queue=1, outside=1)
    with admission.wait() as place:
        await place.take_slot()
        with pytest.raises(asyncio.CancelledError):
            async with place.outside():
                raise asyncio.CancelledError
        assert await _free(admission)
    assert admission.free_slots == 1
