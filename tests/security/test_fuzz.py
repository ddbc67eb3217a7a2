"""The fuzz targets hold on their kept corpus, on what is near it, and for as long as there is time."""

import importlib.util
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.security.fuzz import CORPUS, TARGETS

NEAR = 300
"""Changed copies of the corpus that are tried of each target."""
LONG_SECONDS = 60
PROJECT = Path(__file__).parents[2]


def corpus(name: str) -> list[bytes]:
    """What is kept of a target."""
    return [file.read_bytes() for file in sorted((CORPUS / name).iterdir())]


def changed(data: bytes, chance: random.Random) -> bytes:
    """A copy with a few bytes changed, taken out, put in or repeated."""
    copy = bytearray(data)
    for _ in range(chance.randrange(1, 6)):
        place = chance.randrange(len(copy) + 1)
        match chance.randrange(4):
            case 0:
                copy[place:place] = chance.randbytes(chance.randrange(1, 9))
            case 1:
                del copy[place : place + chance.randrange(1, 9)]
            case 2:
                copy[place : place + 4] = chance.choice((b"\xff\xff\xff\xff", bytes(4), b"\x01\0\0\0", b"\0\0\0\x7f"))
            case _:
                copy += copy[place : place + 64]
    return bytes(copy)


@pytest.mark.parametrize("name", TARGETS)
def test_the_kept_corpus_and_what_is_near_it(name: str) -> None:
    kept = corpus(name)
    assert kept
    for data in kept:
        TARGETS[name](data)
    seed = random.randrange(1 << 32)
    chance = random.Random(seed)
    for _ in range(NEAR):
        data = changed(chance.choice(kept), chance)
        try:
            TARGETS[name](data)
        except Exception as error:
            raise AssertionError(f"{name} fails on {data!r} (seed {seed})") from error


@pytest.mark.long
@pytest.mark.timeout(LONG_SECONDS + 120)
@pytest.mark.parametrize("name", TARGETS)
def test_with_a_coverage_guided_fuzzer(name: str, tmp_path: Path) -> None:
    if importlib.util.find_spec("atheris") is None:
        pytest.skip("atheris is not installed: pip install --require-hashes -r requirements/fuzz.txt")
    options = [f"-max_total_time={LONG_SECONDS}", "-max_len=4096", f"-artifact_prefix={tmp_path}/", "-timeout=20"]
    command = [sys.executable, "-m", "tests.security.fuzzing", name, str(tmp_path), str(CORPUS / name), *options]
    ran = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr[-4000:]
