"""Frames: whatever the pieces in which bytes arrive, the same frames come out."""

import pytest

from executor.sandbox import frames
from executor.sandbox.frames import HEADER, MAX_FRAME_BYTES, BrokenFrame, FrameDecoder, pack

FRAMES = [(16, b"hello"), (18, b""), (255, bytes(range(256))), (0, b"\n\x10\x00\x00\x00"), (16, b"x" * 1000)]
STREAM = b"".join(pack(kind, payload) for kind, payload in FRAMES)


def test_many_frames_at_once_come_out_in_order() -> None:
    assert FrameDecoder().feed(STREAM) == FRAMES


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 6, 7, 64, 255, 1000])
def test_frames_may_be_split_anywhere(size: int) -> None:
    decoder = FrameDecoder()
    found = []
    for start in range(0, len(STREAM), size):
        found += decoder.feed(STREAM[start : start + size])
    assert found == FRAMES


def test_a_single_cut_at_every_place_changes_nothing() -> None:
    for cut in range(len(STREAM) + 1):
        decoder = FrameDecoder()
        assert decoder.feed(STREAM[:cut]) + decoder.feed(STREAM[cut:]) == FRAMES, cut


def test_nothing_comes_out_of_nothing() -> None:
    decoder = FrameDecoder()
    assert decoder.feed(b"") == []
    assert decoder.feed(STREAM[:3]) == []
    assert decoder.feed(b"") == []
    assert decoder.feed(STREAM[3:]) == FRAMES


def test_an_empty_frame_is_a_frame() -> None:
    assert FrameDecoder().feed(pack(18)) == [(18, b"")]


def test_parts_of_a_payload_are_joined() -> None:
    assert pack(1, b"ab", memoryview(b"cd"), b"") == pack(1, b"abcd")


def test_the_longest_frame_is_taken() -> None:
    payload = bytes(MAX_FRAME_BYTES)
    assert FrameDecoder().feed(pack(16, payload)) == [(16, payload)]


@pytest.mark.parametrize("length", [MAX_FRAME_BYTES + 1, 0xFFFF_FFFF])
def test_a_longer_frame_is_refused_by_its_header_alone(length: int) -> None:
    with pytest.raises(BrokenFrame, match=r"16,777,216"):
        FrameDecoder().feed(HEADER.pack(length, 16))


def test_a_guest_may_send_three_kinds_and_none_of_the_hosts() -> None:
    assert sorted(frames.GUEST_KINDS) == [frames.OUTPUT, frames.REQUEST, frames.RESULT, frames.CHUNK]
    assert not frames.GUEST_KINDS & {
        frames.TASK, frames.REPLY, frames.CHECK, frames.READY, frames.LOG, frames.EXIT,
    }  # fmt: skip
