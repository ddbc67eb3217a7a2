"""The web app's own checks: types, component tests, and that its API types are what the gateway describes."""

import os
import subprocess
import sys

import pytest

from deploy.places import Places
from deploy.setup.node import machine_node, own_path, packaged_node
from tests.web.conftest import WEB


def _npm(*arguments: str) -> None:
    node = machine_node() or packaged_node(Places.read(os.environ))
    if node is None or not (WEB / "node_modules").is_dir():
        pytest.fail("the web app's tools are not installed: python3 -m deploy.bootstrap dev")
    path = f"{own_path(node)}{os.pathsep}{os.environ.get('PATH', '')}"
    done = subprocess.run(
        [*node.npm, "run", "--silent", *arguments],
        cwd=WEB,
        env=dict(os.environ) | {"PATH": path, "PYTHON": sys.executable},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_types() -> None:
    _npm("check")


def test_components() -> None:
    _npm("test")


def test_the_api_s_types_are_what_the_gateway_describes() -> None:
    _npm("types", "--", "--check")


def test_the_lock_file_names_no_place() -> None:
    text = (WEB / "package-lock.json").read_text()
    assert '"integrity": "sha512-' in text
    assert "resolved" not in text
    assert "registry" not in text
