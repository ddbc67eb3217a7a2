"""Programs that set-up runs: watched line by line, logged, and ended with it."""

import contextlib
import os
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from deploy.setup.failures import SetupFailed, explain


class Programs:
    """Runs programs, several at once, all with one log."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[str]] = set()
        self._stopped = False

    def run(
        self,
        what: str,
        argv: Sequence[str],
        *,
        on_line: Callable[[str], None] | None = None,
        environment: Mapping[str, str] | None = None,
        directory: Path | None = None,
        deadline_seconds: float = 900,
    ) -> str:
        """Run a program to its end; its output, both streams in one.

        Raises:
            SetupFailed: it failed, is not there, or took too long; ``what`` begins the sentence.
        """
        lines: list[str] = []
        try:
            with self._lock:
                if self._stopped:
                    raise SetupFailed(f"{what}: stopped")
                process = subprocess.Popen(
                    list(argv),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    errors="replace",
                    env=dict(os.environ if environment is None else environment) | {"LC_ALL": "C.UTF-8"},
                    cwd=directory,
                )
                self._running.add(process)
        except FileNotFoundError as error:
            raise SetupFailed(f"{what}: the program {argv[0]} is missing; install it and run this again") from error
        watchdog = threading.Timer(deadline_seconds, process.kill)
        watchdog.daemon = True
        watchdog.start()
        started = time.monotonic()
        try:
            assert process.stdout is not None
            with process.stdout as output:
                for line in output:
                    lines.append(line)
                    if on_line is not None:
                        on_line(line.strip())
            status = process.wait()
        finally:
            watchdog.cancel()
            with self._lock:
                self._running.discard(process)
            self._write(argv, lines)
        if status != 0:
            if time.monotonic() - started >= deadline_seconds:
                raise SetupFailed(f"{what}: not done after {deadline_seconds:.0f} s; run this again (see {self.log})")
            raise explain(what, "".join(lines), self.log)
        return "".join(lines)

    def stop(self) -> None:
        """End what runs and start nothing more."""
        with self._lock:
            self._stopped = True
            for process in self._running:
                with contextlib.suppress(ProcessLookupError):
                    process.terminate()

    def _write(self, argv: Sequence[str], lines: list[str]) -> None:
        with contextlib.suppress(OSError), self._lock, self.log.open("a", encoding="utf-8") as log:
            log.write(f"$ {' '.join(argv)}\n{''.join(lines)}\n")
