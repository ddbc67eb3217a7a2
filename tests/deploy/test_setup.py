"""Setting up as a user meets it: what goes wrong is one sentence, what was cut short goes on, what is there is left."""

import base64
import dataclasses
import fcntl
import hashlib
import io
import os
import shutil
import signal
import socket
import subprocess
import sys
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from deploy.places import INSECURE, PROJECT, Places
from deploy.setup.engine import Engine
from deploy.setup.environment import Environment
from deploy.setup.failures import SetupFailed, explain
from deploy.setup.main import set_up
from deploy.setup.programs import Programs
from deploy.setup.progress import Progress
from deploy.setup.wasmedge import WasmEdge

NOT_FOR_PYTHON = {key: "" for key in os.environ if key.startswith(("PIP_", "PYTHON"))}


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What set-up needs of the project, in a folder of its own without ``.venv``."""
    project = tmp_path / "project"
    for part in ("deploy", "executor/engine", "requirements"):
        shutil.copytree(PROJECT / part, project / part, ignore=shutil.ignore_patterns("__pycache__"))
    (project / "executor" / "__init__.py").touch()
    return project


def _variables(clone: Path, environment: dict[str, str]) -> dict[str, str]:
    variables = {key: value for key, value in os.environ.items() if key not in NOT_FOR_PYTHON}
    variables |= {"HOME": str(clone.parent), "WASMFORGE_CACHE": str(clone.parent / "cache")} | environment
    for name in ("WASMFORGE_WASMEDGE", "WASMFORGE_ENGINES", "WASMFORGE_STATE"):
        if name not in environment:
            variables.pop(name, None)
    return variables


def _start(clone: Path, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [os.path.realpath(sys.executable), "-m", "deploy.bootstrap", "stack"],
        cwd=clone,
        env=_variables(clone, environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def _set_up(clone: Path, purpose: str = "stack", **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [os.path.realpath(sys.executable), "-m", "deploy.bootstrap", purpose],
        cwd=clone,
        env=_variables(clone, environment),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def _sentence(done: subprocess.CompletedProcess[str]) -> str:
    """The sentence a failed set-up ends with; nothing but steps may stand before it."""
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    steps, _, sentence = done.stderr.strip().rpartition("\n\n")
    assert "\n" not in sentence
    assert all(line.startswith(("Setting up", "  ")) for line in steps.splitlines())
    return sentence


def test_a_registry_that_cannot_be_reached_is_said(clone: Path) -> None:
    unreachable = "http://127.0.0.1:9/simple"
    done = _set_up(clone, PIP_CONFIG_FILE=os.devnull, PIP_INDEX_URL=unreachable, WASMFORGE_WASMEDGE=str(clone))
    assert "the package registry can't be reached; check the network or the proxy settings" in _sentence(done)


def test_a_machine_without_apt_is_told_what_to_do(clone: Path) -> None:
    done = _set_up(clone, PATH=str(clone), PIP_CONFIG_FILE=os.devnull, PIP_NO_INDEX="1")
    sentence = _sentence(done)
    assert "this machine has no apt" in sentence
    assert "WASMFORGE_WASMEDGE" in sentence


def test_a_python_without_venv_is_told_what_to_install(clone: Path) -> None:
    fake = clone.parent / "fake"
    fake.mkdir()
    (fake / "venv.py").write_text(
        "import sys; sys.exit('The virtual environment was not created successfully because ensurepip is not\\n"
        "available.  On Debian/Ubuntu systems, you need to install the python3-venv package')"
    )
    done = _set_up(clone, PYTHONPATH=str(fake), WASMFORGE_WASMEDGE=str(clone))
    assert "apt-get install python3-venv" in _sentence(done)


def test_a_cache_that_cannot_be_written_is_said(clone: Path) -> None:
    (clone.parent / "cache").write_text("a file, no folder")
    sentence = _sentence(_set_up(clone))
    assert str(clone.parent / "cache") in sentence
    assert "WASMFORGE_CACHE" in sentence


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_set_up_stops_what_it_runs(clone: Path, number: signal.Signals) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent_registry:
        url = f"http://127.0.0.1:{silent_registry.getsockname()[1]}/simple"
        process = _start(clone, PIP_CONFIG_FILE=os.devnull, PIP_INDEX_URL=url, WASMFORGE_WASMEDGE=str(clone))
        with process:
            silent_registry.settimeout(60)
            connection, _ = silent_registry.accept()  # pip is at work
            os.killpg(process.pid, number)
            output, _ = process.communicate(timeout=30)
            connection.close()
    assert process.returncode == 130
    assert output.endswith("Stopped; run it again to go on.\n")
    assert "Traceback" not in output
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)


def test_a_second_set_up_waits_for_the_first(clone: Path) -> None:
    state = clone / ".wasmforge"
    state.mkdir()
    with (state / "setup.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        process = _start(clone, PATH=str(clone), PIP_CONFIG_FILE=os.devnull, PIP_NO_INDEX="1")
        with process:
            assert process.stdout is not None
            assert process.stdout.readline() == "Another set-up works on this project; waiting for it\n"
            fcntl.flock(lock, fcntl.LOCK_UN)
            assert "Setting up WasmForge" in process.communicate(timeout=30)[0]


def test_too_little_space_is_said_before_anything_is_fetched(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=5_000_000))
    places = Places(clone, clone / ".wasmforge", clone, clone, clone / "none", own_wasmedge=True)
    with pytest.raises(SetupFailed, match="5 MB free and set-up needs about 900 MB"):
        set_up("stack", places, Programs(clone / "log"))
    assert not places.venv.exists()


def test_an_unknown_purpose_is_refused(clone: Path) -> None:
    done = _set_up(clone, "everything")
    assert done.returncode == 2
    assert "stack|executor|dev" in done.stderr


@pytest.mark.parametrize(
    ("output", "says"),
    [
        ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "disk is full"),
        ("E: You don't have enough free space in /x/cache/archives/.", "disk is full"),
        ("WARNING: Retrying after connection broken by 'NewConnectionError(...)'\nERROR: No matching", "be reached"),
        ("Err:1 http://x trixie InRelease\n  Could not connect to x:80 (1.2.3.4)\nE: Failed to fetch", "be reached"),
        ("SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED]", "certificate is not trusted"),
        (
            "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.\n    anyio==4.1 from x:\n",
            "anyio==4.1 differs from the pinned file",
        ),
        ("ERROR: No matching distribution found for uvloop==0.23.0", "no uvloop==0.23.0 for this Python"),
        ("E: The repository 'x' is not signed.\n", "The repository 'x' is not signed."),
        ("", "no message"),
    ],
)
def test_failures_of_programs_become_sentences(output: str, says: str) -> None:
    error = explain("it can't be done", output, Path("/log"))
    assert str(error).startswith("it can't be done: ")
    assert says in str(error)


def _wheel(folder: Path) -> str:
    """A tiny package in ``folder``; returns its SHA-256."""
    content = io.BytesIO()
    info = "tinything-1.0.dist-info"
    files = {
        "tinything.py": "answer = 42\n",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: tinything\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    with zipfile.ZipFile(content, "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            record += f"{name},sha256={digest},{len(text)}\n"
        wheel.writestr(f"{info}/RECORD", f"{record}{info}/RECORD,,\n")
    folder.mkdir()
    (folder / "tinything-1.0-py3-none-any.whl").write_bytes(content.getvalue())
    return hashlib.sha256(content.getvalue()).hexdigest()


@pytest.mark.parametrize(
    ("sandbox", "expected"), [("", {"engine", "runtime", "WasmEdge", "compile"}), (INSECURE, {"runtime"})]
)
def test_nothing_of_wasmedge_is_fetched_where_plugins_run_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sandbox: str, expected: set[str]
) -> None:
    done: set[str] = set()
    monkeypatch.setattr(Environment, "make", lambda self: None)
    monkeypatch.setattr(Environment, "install", lambda self, name, title: done.add(name))
    monkeypatch.setattr(WasmEdge, "unpack", lambda self: done.add("WasmEdge"))
    monkeypatch.setattr(Engine, "is_there", lambda self: False)
    monkeypatch.setattr(Engine, "compile", lambda self: done.add("compile"))
    monkeypatch.setattr("deploy.setup.main._check_space", lambda *_: None)
    places = Places.read({"HOME": str(tmp_path), "WASMFORGE_SANDBOX": sandbox})
    places.cache.mkdir(parents=True)
    set_up("executor", dataclasses.replace(places, project=tmp_path), Programs(tmp_path / "setup.log"))
    assert done == expected


def test_packages_are_installed_once_repaired_after_a_cut_and_refused_when_changed(
    clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    digest = _wheel(clone.parent / "wheels")
    for name in NOT_FOR_PYTHON:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(clone.parent / "wheels"))
    lock = clone / "requirements" / "tiny.txt"
    lock.write_text(f"tinything==1.0 --hash=sha256:{digest}\n")
    places = Places(clone, clone / ".wasmforge", clone, clone, clone, own_wasmedge=False)
    log = clone / "setup.log"
    environment = Environment(places, Programs(log), Progress(io.StringIO()))
    environment.make()
    environment.install("tiny", "A tiny thing")
    (module,) = places.venv.glob("lib/python3.*/site-packages/tinything.py")
    assert environment.is_installed("tiny")

    pip_ran = log.read_text().count("install")
    environment.make()
    environment.install("tiny", "A tiny thing")
    assert log.read_text().count("install") == pip_ran

    # Cut short: pip believes it is installed, and half of it is missing.
    module.unlink()
    (places.venv / ".wasmforge-tiny").unlink()
    (places.venv / ".wasmforge-tiny.begun").touch()
    environment.install("tiny", "A tiny thing")
    assert module.exists()

    lock.write_text(f"tinything==1.0 --hash=sha256:{'0' * 64}\n")
    assert not environment.is_installed("tiny")
    (places.venv / ".wasmforge-tiny.begun").touch()
    with pytest.raises(SetupFailed, match=r"tinything\S* differs from the pinned file"):
        environment.install("tiny", "A tiny thing")


def test_steps_are_plain_lines_where_there_is_no_terminal() -> None:
    out = io.StringIO()

    def fail(progress: Progress) -> None:
        with progress.step("Second"):
            raise SetupFailed("no")

    with Progress(out) as progress:
        with progress.step("First") as step:
            step.note = "not shown here"
        with pytest.raises(SetupFailed):
            fail(progress)
    lines = [line.split() for line in out.getvalue().splitlines()]
    assert [line[:2] for line in lines] == [["…", "First"], ["✓", "First"], ["…", "Second"], ["✗", "Second"]]
    assert "\x1b" not in out.getvalue()
