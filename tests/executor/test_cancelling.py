"""Word of the end of a call, which anybody who reaches NATS can send."""

from types import SimpleNamespace
from typing import cast

import msgspec
import pytest
from nats.aio.msg import Msg

from executor.cancelling import Cancelling


@pytest.mark.parametrize(
    "body",
    [
        b'{"deep": ' + b"[" * 100_000,
        msgspec.json.encode({"reply_to": "_INBOX." + "x" * 1_000_000}),
        b'{"reply_to": "a"}',
    ],
    ids=["deep", "long", "no inbox"],
)
async def test_what_no_call_can_be_called_is_not_remembered(body: bytes) -> None:
    calls = Cancelling()
    await calls._on_message(cast(Msg, SimpleNamespace(data=body)))
    assert not calls._recent
