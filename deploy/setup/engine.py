"""The quick compile of the sandbox engine: enough to start with; the thorough one follows in the background."""

import os
import subprocess
import sys
from pathlib import Path

from deploy.places import Places
from deploy.setup.failures import SetupFailed
from deploy.setup.programs import Programs
from deploy.setup.progress import Progress

QUICK, THOROUGH = 0, 2
_COMPILE_SECONDS = 900


class Engine:
    """Compiled engines in the cache, made by the executor's own compiler program."""

    def __init__(self, places: Places, programs: Programs, progress: Progress) -> None:
        self._places = places
        self._programs = programs
        self._progress = progress

    def is_there(self) -> bool:
        """Whether an engine for this machine is there, of any level."""
        command = [sys.executable, "-S", "-m", "executor.engine", "status", "--engines", str(self._places.engines)]
        asked = subprocess.run(command, cwd=self._places.project, capture_output=True, timeout=30, check=False)
        return asked.returncode == 0

    def compile(self) -> None:
        """Compile at the quick level.

        Raises:
            SetupFailed: the module is not the pinned one, or the compiler failed.
        """
        wasm = self._places.wasm()
        if wasm is None:
            raise SetupFailed("python.wasm is not installed; remove .venv and run this again")
        with self._progress.step("Compile the engine (quick, about 25 s)"):
            self._programs.run(
                "the engine can't be compiled",
                compile_command(self._places, wasm, QUICK),
                directory=self._places.project,
                environment=dict(os.environ),
                deadline_seconds=_COMPILE_SECONDS,
            )


def compile_command(places: Places, wasm: Path, level: int) -> list[str]:
    """Command line that compiles the engine at ``level``, unless that is done; run it in the project's folder."""
    return [
        *(sys.executable, "-m", "executor.engine", "compile"),
        *("--wasm", str(wasm), "--engines", str(places.engines)),
        *("--wasmedge", str(places.wasmedge), "--level", str(level)),
    ]
