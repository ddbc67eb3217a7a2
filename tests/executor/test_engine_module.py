"""The engine as a file: the pinned module and nothing else, prepared the same way every time."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.places import PROJECT
from executor.engine import cache
from executor.engine.cache import best_engine, engine_key, engine_path
from executor.engine.launch import NoWasmEdge, launcher
from executor.engine.module import EXPORTS, WrongModule, prepare
from executor.sandbox.wasi import Outside, Wasi
from tests.executor import wasm
from tests.executor.conftest import Engine


def test_another_module_is_refused_and_both_digests_are_named(pinned_wasm: bytes) -> None:
    changed = bytearray(pinned_wasm)
    changed[-1] ^= 1
    with pytest.raises(WrongModule, match=r"not the pinned one: SHA-256 [0-9a-f]{64}, expected e5dc5a39"):
        prepare(bytes(changed))
    with pytest.raises(WrongModule):
        prepare(b"")


def test_the_prepared_module_has_the_exports_and_no_custom_section(pinned_wasm: bytes) -> None:
    prepared = prepare(pinned_wasm)
    before, after = wasm.exports(pinned_wasm), wasm.exports(prepared)
    assert after == before | {name: (kind, index) for name, kind, index in EXPORTS}
    kept = [(kind, content) for kind, content in wasm.sections(prepared) if kind != wasm.EXPORT]
    given = [(kind, content) for kind, content in wasm.sections(pinned_wasm) if kind not in (wasm.CUSTOM, wasm.EXPORT)]
    assert kept == given


def test_preparing_twice_gives_the_same_bytes(pinned_wasm: bytes) -> None:
    assert prepare(pinned_wasm) == prepare(pinned_wasm)


def test_a_prepared_module_is_not_taken_for_the_pinned_one(pinned_wasm: bytes) -> None:
    with pytest.raises(WrongModule):
        prepare(prepare(pinned_wasm))


class _Nobody:
    def printed(self, descriptor: int, data: bytes) -> None:
        raise AssertionError

    def frame_from_guest(self, kind: int, payload: bytes) -> bool:
        raise AssertionError

    def bytes_for_guest(self) -> bytes:
        raise AssertionError


def test_every_import_of_the_module_is_served_with_its_signature(pinned_wasm: bytes) -> None:
    outside: Outside = _Nobody()
    served = {
        ("wasi_snapshot_preview1", name): (parameters, "i" if returns else "")
        for name, parameters, returns, _ in Wasi(outside, []).imports()
    }
    assert served == wasm.imported_functions(pinned_wasm)


def test_the_key_depends_on_everything_the_machine_code_depends_on(monkeypatch: pytest.MonkeyPatch) -> None:
    key = engine_key()
    assert engine_key() == key
    assert len(key) == 16
    others = set()
    for name, value in (
        ("SHA256", "0" * 64),
        ("EXPORTS", ()),
        ("WASMEDGE_VERSION", "0.14.2"),
        ("_cpu", lambda: ["z80"]),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(cache, name, value)
            others.add(engine_key())
    assert key not in others
    assert len(others) == 4


def test_the_better_engine_is_chosen_and_others_keys_are_left_alone(tmp_path: Path) -> None:
    assert best_engine(tmp_path) is None
    assert best_engine(tmp_path / "missing") is None
    (tmp_path / "0123456789abcdef-O2.so").touch()
    assert best_engine(tmp_path) is None
    engine_path(tmp_path, 0).touch()
    assert best_engine(tmp_path) == tmp_path / f"{engine_key()}-O0.so"
    engine_path(tmp_path, 2).touch()
    assert best_engine(tmp_path) == tmp_path / f"{engine_key()}-O2.so"


def test_a_folder_without_wasmedge_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(NoWasmEdge, match=rf"no WasmEdge in {tmp_path}: run 'make setup', or set WASMFORGE_WASMEDGE"):
        launcher(tmp_path)


def _engine_command(*words: str | Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(PROJECT)}
    command = [sys.executable, "-m", "executor.engine", *map(str, words)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


def test_the_command_prepares_and_prints_the_key(pinned_path: Path, tmp_path: Path) -> None:
    done = _engine_command("prepare", "--wasm", pinned_path, "--engines", tmp_path)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, engine_key(), "")


def test_the_command_refuses_in_one_sentence(pinned_path: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.wasm"
    wrong.write_bytes(b"\0asm")
    for words, said in (
        (("prepare", "--wasm", wrong), "not the pinned one"),
        (("prepare", "--wasm", tmp_path / "missing"), "No such file"),
        (("compile", "--wasm", pinned_path, "--wasmedge", tmp_path, "--level", "0"), "no WasmEdge in"),
        (("status",), "no engine in"),
    ):
        done = _engine_command(*words, "--engines", tmp_path / "engines")
        assert done.returncode == 1, words
        assert said in done.stderr
        assert len(done.stderr.splitlines()) == 1, done.stderr


def test_what_is_compiled_already_is_not_compiled_again(engine: Engine, pinned_path: Path) -> None:
    level = engine.best.name[-4]
    before = engine.best.stat().st_mtime_ns
    words = ("compile", "--wasm", pinned_path, "--wasmedge", engine.wasmedge, "--level", level)
    done = _engine_command(*words, "--engines", engine.engines)
    assert (done.returncode, done.stdout.strip()) == (0, str(engine.best)), done.stderr
    assert engine.best.stat().st_mtime_ns == before
