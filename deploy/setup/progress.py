"""Steps as a person sees them: in place on a terminal, otherwise a line when one starts and one when it is done."""

import contextlib
import shutil
import sys
import threading
import time
from collections.abc import Iterator
from typing import TextIO

_REDRAW_SECONDS = 0.1
_NAME_WIDTH = 44


class Step:
    """One step that runs."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.note = ""
        """What it does now: a few words, replaced at will."""
        self.started = time.monotonic()

    def line(self) -> str:
        """One line about it."""
        return f"  … {self.name:<{_NAME_WIDTH}} {time.monotonic() - self.started:5.1f} s  {self.note}"


class Progress:
    """Shows steps that run side by side. Use as a context manager."""

    def __init__(self, out: TextIO = sys.stderr) -> None:
        self._out = out
        self._in_place = out.isatty()
        self._lock = threading.Lock()
        self._running: list[Step] = []
        self._drawn = 0
        self._stopped = threading.Event()
        self._painter = threading.Thread(target=self._paint, daemon=True)

    def __enter__(self) -> "Progress":
        if self._in_place:
            self._painter.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        if self._in_place:
            self._painter.join()
            with self._lock:
                self._erase()
                self._out.flush()

    @contextlib.contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """Show a step for as long as the context lasts."""
        step = Step(name)
        with self._lock:
            self._running.append(step)
            if not self._in_place:
                print(f"  … {name}", file=self._out, flush=True)
        mark = "failed"
        try:
            yield step
            mark = "ok"
        finally:
            with self._lock:
                self._running.remove(step)
                self._erase()
                took = time.monotonic() - step.started
                sign = "✓" if mark == "ok" else "✗"
                print(f"  {sign} {name:<{_NAME_WIDTH}} {took:5.1f} s", file=self._out, flush=True)

    def say(self, text: str) -> None:
        """Print a line above the steps."""
        with self._lock:
            self._erase()
            print(text, file=self._out, flush=True)

    def _paint(self) -> None:
        while not self._stopped.wait(_REDRAW_SECONDS):
            with self._lock:
                self._erase()
                width = shutil.get_terminal_size().columns - 1
                for step in self._running:
                    print(step.line()[:width], file=self._out)
                self._drawn = len(self._running)
                self._out.flush()

    def _erase(self) -> None:
        if self._drawn:
            self._out.write(f"\x1b[{self._drawn}A\x1b[J")
            self._drawn = 0
