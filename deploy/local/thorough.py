"""The thorough compile of the engine in the background; executors take its result up by themselves."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable, Mapping

from deploy.local.process import StartFailed
from deploy.local.services import PythonService
from deploy.places import Places

THOROUGH = 2
_NOT_COMPILED = "the sandbox engine is not compiled yet; run `make setup`"
_STOP_SECONDS = 5.0


def check_quick(places: Places) -> None:
    """Make sure that some engine is there, at a glance.

    Raises:
        StartFailed: none is.
    """
    if places.sandboxed and not any(places.engines.glob("*.so")):
        raise StartFailed(_NOT_COMPILED)


async def is_there(places: Places) -> bool:
    """Whether this machine's thorough engine is compiled.

    Raises:
        StartFailed: not even the quick one is.
    """
    if not places.sandboxed:
        return True
    command = [sys.executable, "-S", "-m", "executor.engine", "status", "--engines", str(places.engines)]

    def ask() -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, cwd=places.project, capture_output=True, text=True, timeout=30, check=False)

    # In a thread, which ends by itself also when nobody waits any more.
    answer = await asyncio.to_thread(ask)
    if answer.returncode != 0:
        raise StartFailed(_NOT_COMPILED)
    return answer.stdout.strip().endswith(f"-O{THOROUGH}.so")


async def compile_engine(places: Places, environment: Mapping[str, str], report: Callable[[str], None]) -> None:
    """Compile it when the processor is idle, and say when it is done. A failure is said and changes nothing."""
    wasm = places.wasm()
    if wasm is None:
        return
    log = places.state / "log" / "engine.log"
    arguments = (
        *("compile", "--wasm", str(wasm), "--engines", str(places.engines)),
        *("--wasmedge", str(places.wasmedge), "--level", str(THOROUGH)),
    )
    started = time.monotonic()
    service = PythonService("engine", "executor.engine", environment, log, arguments=arguments, background=True)
    child = await service.start()
    try:
        status = await child.wait()
    except asyncio.CancelledError:
        await child.stop(_STOP_SECONDS)
        raise
    if status == 0:
        report(f"the thorough engine is compiled ({time.monotonic() - started:.0f} s); executors move over to it")
    else:
        report(f"the thorough engine can't be compiled, the quick one stays in use; see {log}")
