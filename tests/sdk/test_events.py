"""Server-sent events of a call, cut wherever a network may cut them."""

from collections.abc import AsyncIterator

import pytest

from schemas.errors import DeadlineExceeded, RuntimeFault
from sdk.events import Done, Event, Log, Output, read_events

DONE = b'event: done\ndata: {"success":true,"error":null,"error_type":null,"execution_id":"e1","phases":{"run":7}}\n\n'
STREAM = (
    ': comment\n\nevent: output\ndata: "a\u2028\u0085\\n\N{SNOWMAN}"\n\nevent: log\ndata: "printed\\n"\n\n'
    'event: later\ndata: {"unknown": 1}\n\nid: 7\nevent: output\ndata: {"base64": "/wA="}\n\n'
).encode() + DONE
EVENTS = [Output("a\u2028\u0085\n\N{SNOWMAN}".encode()), Log("printed\n"), Output(b"\xff\x00"), Done("e1", {"run": 7})]


async def collect(*chunks: bytes) -> list[Event]:
    async def stream() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    return [event async for event in read_events(stream())]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
async def test_any_cut_gives_the_same_events(size: int) -> None:
    chunks = [STREAM[i : i + size] for i in range(0, len(STREAM), size)]
    assert await collect(*chunks) == EVENTS


async def test_lines_may_end_as_on_windows() -> None:
    assert await collect(STREAM.replace(b"\n", b"\r\n")) == EVENTS


async def test_nothing_is_read_after_the_last_event() -> None:
    assert await collect(DONE + b'event: output\ndata: "late"\n\n') == [Done("e1", {"run": 7})]


async def test_the_last_event_says_what_was_used_of_models() -> None:
    used = b',"ai_calls":2,"ai_prompt_tokens":30,"ai_output_tokens":4}\n\n'
    assert await collect(DONE.rstrip().removesuffix(b"}") + used) == [Done("e1", {"run": 7}, 2, 30, 4)]


async def test_a_failed_call_raises_its_error_with_its_id() -> None:
    data = b'{"success":false,"error":"after 1 s","error_type":"timeout","execution_id":"e2","phases":{}}'
    with pytest.raises(DeadlineExceeded, match="after 1 s") as caught:
        await collect(b'event: output\ndata: "x"\n\nevent: done\ndata: ' + data + b"\n\n")
    assert caught.value.execution_id == "e2"


async def test_a_stream_that_is_cut_off_is_not_taken_for_a_result() -> None:
    with pytest.raises(RuntimeFault, match="ended before the call did"):
        await collect(STREAM[: -len(DONE)])


@pytest.mark.parametrize(
    "event",
    [
        b"event: output\ndata: {",
        b"event: log\ndata: 7",
        b"event: done\ndata: {}",
        b'event: output\ndata: {"base64":"*"}',
    ],
)
async def test_a_broken_event_is_said(event: bytes) -> None:
    with pytest.raises(RuntimeFault, match="broken"):
        await collect(event + b"\n\n")


async def test_an_endless_line_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sdk.events.MAX_EVENT_BYTES", 100)
    with pytest.raises(RuntimeFault, match="more than 100 bytes"):
        await collect(b"data: ", *[b"x" * 30] * 5)
