"""``python -m executor.engine``: check the module, compile it, say what is there."""

import argparse
import fcntl
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from executor.engine.cache import LEVELS, best_engine, engine_key, engine_path
from executor.engine.launch import NoWasmEdge, launcher
from executor.engine.module import WrongModule, prepare


def compile_engine(wasm: Path, engines: Path, wasmedge: Path, level: int) -> Path:
    """Compile the pinned module, unless it has been compiled; the file appears whole or not at all."""
    engines.mkdir(parents=True, exist_ok=True)
    target = engine_path(engines, level)
    # One compiler for one result: a second process waits here and then finds it done.
    with open(engines / f".{target.name}.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if target.exists():
            return target
        with tempfile.TemporaryDirectory(dir=engines, prefix=".compile-") as folder:
            source, result = Path(folder) / "python.wasm", Path(folder) / "engine.so"
            source.write_bytes(prepare(wasm.read_bytes()))
            script = Path(__file__).with_name("compile.py")
            command = [*launcher(wasmedge), "-I", "-S", str(script), str(source), str(result), str(level)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0 or not result.exists():
                raise RuntimeError(f"the compiler failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
            os.replace(result, target)
    return target


def main() -> int:
    """Run one of the commands; 0 when all is well."""
    parser = argparse.ArgumentParser(prog="python -m executor.engine", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("prepare", "check python.wasm and print the engine's key"),
        ("compile", "compile it ahead of time, unless that is done"),
        ("status", "print the best engine that is there"),
    ):
        command = commands.add_parser(name, help=text)
        command.add_argument("--engines", type=Path, required=True, help="folder of compiled engines")
        if name != "status":
            command.add_argument("--wasm", type=Path, required=True, help="the pinned python.wasm")
        if name == "compile":
            command.add_argument("--wasmedge", type=Path, required=True, help="folder with WasmEdge's packages")
            command.add_argument("--level", type=int, choices=sorted(LEVELS), required=True)
    chosen = parser.parse_args()
    # As an exception, so that the compiler ends and its half-made files go.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        if chosen.command == "prepare":
            prepare(chosen.wasm.read_bytes())
            print(engine_key())
        elif chosen.command == "compile":
            print(compile_engine(chosen.wasm, chosen.engines, chosen.wasmedge, chosen.level))
        else:
            engine = best_engine(chosen.engines)
            if engine is None:
                print(f"no engine in {chosen.engines} for this machine", file=sys.stderr)
                return 1
            print(engine)
    except (WrongModule, NoWasmEdge, RuntimeError, OSError) as error:
        print(f"executor.engine: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
