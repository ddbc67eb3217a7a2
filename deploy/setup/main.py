"""Which steps there are, which of them a purpose needs, and which may run side by side."""

import contextlib
import errno
import fcntl
import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType

from deploy.places import Places
from deploy.setup.browser import Browser
from deploy.setup.engine import Engine
from deploy.setup.environment import Environment
from deploy.setup.failures import SetupFailed
from deploy.setup.programs import Programs
from deploy.setup.progress import Progress
from deploy.setup.wasmedge import WasmEdge
from deploy.setup.web import Web

_PACKAGES = {"runtime": "Libraries", "data": "NATS, PostgreSQL, local model", "dev": "Tools for tests and checks"}
_NEEDS = {
    "stack": ("runtime", "data"),
    "executor": ("runtime",),
    "dev": ("runtime", "data", "dev"),
}
"""Which requirement files a purpose installs, beside the engine's own."""
_PROJECT_BYTES = 900_000_000
_CACHE_BYTES = 700_000_000


def main(arguments: Sequence[str]) -> int:
    """Set up for a purpose; 0 when all is there. Failures are one sentence on standard error."""
    purpose = arguments[0] if arguments else "stack"
    if purpose not in _NEEDS or len(arguments) > 1:
        print(f"usage: python3 -m deploy.bootstrap [{'|'.join(_NEEDS)}]", file=sys.stderr)
        return 2
    places = Places.read(os.environ)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        for folder in (places.state / "log", places.cache, places.engines):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        programs = Programs(places.state / "log" / "setup.log")
        with _exclusive(places.state / "setup.lock", "this project"):
            set_up(purpose, places, programs)
    except KeyboardInterrupt:
        print("\nStopped; run it again to go on.", file=sys.stderr)
        return 130
    except SetupFailed as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"\n{_explain(error)} and run this again", file=sys.stderr)
        return 1
    return 0


def set_up(purpose: str, places: Places, programs: Programs) -> None:
    """Do what is not done yet for ``purpose``.

    Raises:
        SetupFailed: one of the steps failed; the others were stopped.
    """
    started = time.monotonic()
    with Progress() as progress:
        environment = Environment(places, programs, progress)
        wasmedge = WasmEdge(places, programs, progress)
        engine = Engine(places, programs, progress)
        web = Web(places, programs, progress, tools=purpose == "dev")
        browser = Browser(places, programs, progress)
        browser_is_there = purpose != "dev" or browser.is_there()
        web_is_there = purpose == "executor" or web.is_there()
        wanted = ("engine", *_NEEDS[purpose]) if places.sandboxed else _NEEDS[purpose]
        sandbox_is_there = not places.sandboxed or (wasmedge.is_there() and engine.is_there())
        if all(map(environment.is_installed, wanted)) and sandbox_is_there and web_is_there and browser_is_there:
            return
        # Imported late: usually all is there, and this runs before every start.
        from deploy.setup.together import Gate, together

        progress.say("Setting up WasmForge")
        _check_space(places, environment)

        python_wasm_is_there, node_is_there = Gate(), Gate()

        def packages() -> None:
            environment.make()
            if places.sandboxed:
                environment.install("engine", "CPython for WebAssembly")
            python_wasm_is_there.open()
            if not web_is_there and web.needs_node():
                environment.install("node", "Node")
            node_is_there.open()
            for name in _NEEDS[purpose]:
                environment.install(name, _PACKAGES[name])

        def sandbox() -> None:
            if not places.sandboxed:
                return
            # The cache belongs to every clone of this user: one fills it, the others find it filled.
            with _exclusive(places.cache / "setup.lock", "the cache"):
                wasmedge.unpack()
                python_wasm_is_there.wait()
                if not engine.is_there():
                    engine.compile()

        def web_app() -> None:
            if not browser_is_there:
                browser.install()
            if web_is_there:
                return
            if web.needs_node():
                node_is_there.wait()
            try:
                web.build()
            except SetupFailed as error:
                if purpose == "dev":
                    raise
                progress.say(f"WITHOUT the web app: {error}. All else works; the next 'make up' tries again")

        together(programs, (python_wasm_is_there, node_is_there), packages, sandbox, web_app)
    print(f"Set up in {time.monotonic() - started:.0f} s", file=sys.stderr)


def _explain(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "the disk is full; free some space"
    what = f"{error.filename} can't be used: {error.strerror}" if error.filename else str(error)
    return f"{what}; mend that, or set WASMFORGE_CACHE and WASMFORGE_STATE to folders of yours"


def _check_space(places: Places, environment: Environment) -> None:
    needs = [] if environment.is_made() else [(places.project, _PROJECT_BYTES)]
    if places.sandboxed and not places.wasmedge.is_dir():
        needs.append((places.cache, _CACHE_BYTES))
    for folder, bytes_needed in needs:
        free = shutil.disk_usage(folder).free
        if free < bytes_needed:
            raise SetupFailed(
                f"{folder} has {free // 1_000_000} MB free and set-up needs about {bytes_needed // 1_000_000} MB "
                "there; free some space and run this again"
            )


@contextlib.contextmanager
def _exclusive(lock: Path, what: str) -> Iterator[None]:
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"Another set-up works on {what}; waiting for it", file=sys.stderr)
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
