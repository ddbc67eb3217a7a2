"""The web app, built where the project lies: once, and again when its sources changed."""

import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from deploy.places import Places
from deploy.setup.failures import SetupFailed
from deploy.setup.node import Node, machine_node, own_path, packaged_node
from deploy.setup.programs import Programs
from deploy.setup.progress import Progress

_SOURCES = (
    "package.json", "package-lock.json", "index.html", "vite.config.ts", "tsconfig.json", "public", "src", "vite",
)  # fmt: skip
_NO_SOURCES = (".test.ts", ".test.tsx")


class Web:
    """``gateway/web``: its packages in ``node_modules``, what is built in ``dist``.

    Args:
        tools: also what its tests and its type check need.
    """

    def __init__(self, places: Places, programs: Programs, progress: Progress, *, tools: bool) -> None:
        self._places = places
        self._programs = programs
        self._progress = progress
        self._tools = tools
        self._folder = places.project / "gateway" / "web"

    def is_there(self) -> bool:
        """Whether nothing is left to do; so it is where the project came without its sources."""
        if not (self._folder / "package.json").is_file():
            return True
        return self._is_built() and (not self._tools or self._has_packages())

    def needs_node(self) -> bool:
        """Whether Node has to be installed before `build`."""
        return not self.is_there() and machine_node() is None

    def build(self) -> None:
        """Install its packages by their digests and build it; ``dist`` is replaced whole or not at all.

        Raises:
            SetupFailed: no Node, the npm registry can't be reached, a package differs, or the build failed.
        """
        if self.is_there():
            return
        node = machine_node() or packaged_node(self._places)
        if node is None:
            raise SetupFailed("the web app can't be built without Node; install Node 20.19 or newer with npm")
        if not self._has_packages():
            with self._progress.step("Packages of the web app"):
                self._install(node)
        if not self._is_built():
            with self._progress.step("Web app"):
                self._build(node)

    def _install(self, node: Node) -> None:
        shutil.rmtree(self._folder / "node_modules", ignore_errors=True)
        self._run(
            "the packages of the web app can't be installed",
            node,
            [*node.npm, "ci", "--no-audit", "--no-fund", "--loglevel=error", *([] if self._tools else ["--omit=dev"])],
        )
        self._installed.write_text(self._packages())

    def _build(self, node: Node) -> None:
        new, old = self._folder / "dist.new", self._folder / "dist.old"
        digest = self._digest()
        vite = self._folder / "node_modules" / "vite" / "bin" / "vite.js"
        self._run(
            "the web app can't be built",
            node,
            [node.node, str(vite), "build", "--outDir", str(new), "--logLevel", "warn"],
        )
        (new / ".built").write_text(digest)
        shutil.rmtree(old, ignore_errors=True)
        if (self._folder / "dist").exists():
            os.rename(self._folder / "dist", old)
        os.rename(new, self._folder / "dist")
        shutil.rmtree(old, ignore_errors=True)

    def _run(self, what: str, node: Node, argv: list[str]) -> None:
        environment = dict(os.environ) | {"PATH": f"{own_path(node)}{os.pathsep}{os.environ.get('PATH', '')}"}
        self._programs.run(what, argv, environment=environment, directory=self._folder, deadline_seconds=300)

    @property
    def _installed(self) -> Path:
        return self._folder / "node_modules" / ".wasmforge-installed"

    def _packages(self) -> str:
        lock = hashlib.sha256((self._folder / "package-lock.json").read_bytes()).hexdigest()
        return f"{lock} {'all' if self._tools else 'build'}"

    def _has_packages(self) -> bool:
        found, wanted = _content(self._installed), self._packages()
        return found in (wanted, wanted.replace(" build", " all"))

    def _is_built(self) -> bool:
        return _content(self._folder / "dist" / ".built") == self._digest()

    def _digest(self) -> str:
        """Of all that the build depends on."""
        digest = hashlib.sha256()
        for path in self._files():
            content = path.read_bytes()
            digest.update(f"{path.relative_to(self._folder).as_posix()} {len(content)}\n".encode())
            digest.update(content)
        return digest.hexdigest()

    def _files(self) -> Iterator[Path]:
        for name in _SOURCES:
            place = self._folder / name
            for path in [place] if place.is_file() else sorted(place.rglob("*")):
                if path.is_file() and not path.name.endswith(_NO_SOURCES):
                    yield path


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
