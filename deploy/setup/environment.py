"""The virtual environment, filled with exactly the pinned packages."""

import hashlib
import re
import sys
from pathlib import Path

from deploy.places import Places
from deploy.setup.failures import SetupFailed
from deploy.setup.programs import Programs
from deploy.setup.progress import Progress

_COMMAND = """#!{python}
import sys

from sdk.cli import main

sys.exit(main())
"""


class Environment:
    """The project's ``.venv``; each requirement file is installed once, and again when it changes."""

    def __init__(self, places: Places, programs: Programs, progress: Progress) -> None:
        self._places = places
        self._programs = programs
        self._progress = progress

    @property
    def _made(self) -> Path:
        return self._places.venv / ".wasmforge-made"

    def is_made(self) -> bool:
        """Whether it is there and whole, in the place it was made for, and its Python still exists.

        It need not be the Python that runs this: who wants another one removes ``.venv``.
        """
        return self._places.python.exists() and _content(self._made) == str(self._places.venv)

    def make(self) -> None:
        """Create it, from nothing if a former attempt was cut short, or it was moved, or its Python is gone.

        Raises:
            SetupFailed: Python's venv module is missing, or the disk is full.
        """
        if self.is_made():
            return
        with self._progress.step("Python environment"):
            what = "the Python environment can't be made"
            try:
                self._programs.run(what, [sys.executable, "-m", "venv", "--clear", str(self._places.venv)])
            except SetupFailed as error:
                text = str(error)
                if "ensurepip" in text or "No module named venv" in text or "python3-venv" in _content(self._log):
                    raise SetupFailed(
                        "Python's venv module is missing; install it (on Debian: apt-get install python3-venv) "
                        "and run this again"
                    ) from error
                raise
            self._link_project()
            self._made.write_text(str(self._places.venv))

    @property
    def _log(self) -> Path:
        return self._programs.log

    def is_installed(self, name: str) -> bool:
        """Whether ``requirements/<name>.txt`` is installed as it stands."""
        return self.is_made() and _content(self._stamp(name)) == self._digest(name)

    def install(self, name: str, title: str) -> None:
        """Install ``requirements/<name>.txt``: these files, by their hashes, and nothing else.

        Raises:
            SetupFailed: the registry can't be reached, a file differs from the pinned one, or the disk is full.
        """
        if self.is_installed(name):
            return
        begun = self._stamp(name).with_suffix(".begun")
        with self._progress.step(title) as step:
            # What a cut-short run left behind may look installed and not be whole.
            again = ["--force-reinstall"] if begun.exists() else []
            begun.touch()

            def on_line(line: str) -> None:
                found = re.match(r"(Collecting|Downloading|Using cached|Installing) ?(\S+)(.*)", line)
                if found:
                    verb, thing, rest = found.groups()
                    size = re.search(r"\([\d.]+ [kMG]B\)", rest)
                    step.note = f"{verb.lower()} {thing.rpartition('/')[2]} {size.group() if size else ''}"

            requirements = self._places.project / "requirements" / f"{name}.txt"
            pip = [str(self._places.python), "-m", "pip", "--disable-pip-version-check", "--no-input", "install"]
            options = ["--require-hashes", "--no-deps", "--only-binary", ":all:", "--progress-bar", "off"]
            self._programs.run(
                f"{title} can't be installed",
                [*pip, *options, "--retries", "2", *again, "-r", str(requirements)],
                on_line=on_line,
            )
            self._stamp(name).write_text(self._digest(name))
            begun.unlink(missing_ok=True)

    def _link_project(self) -> None:
        # What an editable installation does, without fetching a build tool for it.
        (site_packages,) = self._places.venv.glob("lib/python3.*/site-packages")
        (site_packages / "wasmforge.pth").write_text(f"{self._places.project}\n")
        command = self._places.venv / "bin" / "wasmforge"
        command.write_text(_COMMAND.format(python=self._places.python))
        command.chmod(0o755)

    def _stamp(self, name: str) -> Path:
        return self._places.venv / f".wasmforge-{name}"

    def _digest(self, name: str) -> str:
        return hashlib.sha256((self._places.project / "requirements" / f"{name}.txt").read_bytes()).hexdigest()


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
