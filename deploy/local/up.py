"""``up``: one supervisor in the foreground, from its start to its ordered stop."""

import asyncio
import contextlib
import fcntl
import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from deploy.local import control, stack, thorough
from deploy.local.process import StartFailed
from deploy.local.settings import OTHER_MODELS, Settings
from deploy.local.sockets import remove_folder
from deploy.places import INSECURE, PROJECT

_READY_SECONDS = 60.0


def say(text: str) -> None:
    """Print a line for the person at the terminal."""
    print(text, file=sys.stderr, flush=True)


async def up(settings: Settings) -> None:
    """Run the platform until SIGINT, SIGTERM, SIGHUP or ``down``.

    Raises:
        StartFailed: it can't start; the text says why.
    """
    state = settings.places.state
    thorough.check_quick(settings.places)
    with _alone(state) as lock, contextlib.ExitStack() as after:
        after.callback(remove_folder, state)
        started = time.monotonic()
        is_thorough = asyncio.create_task(thorough.is_there(settings.places))
        asked = asyncio.Event()
        stack_now: list[stack.Stack] = []

        def stop() -> None:
            if asked.is_set():
                say("Killing what still runs")
                for running in stack_now:
                    running.kill()
            asked.set()

        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, stop)
        say("Starting WasmForge")

        # Outermost, so that who asked for `down` is held until everything has stopped.
        def handle(request: dict[str, Any]) -> dict[str, Any]:
            return _handle(request, stack_now, settings, asked)

        try:
            async with control.serve(state, handle), stack.run(settings, say) as running:
                stack_now.append(running)
                _remember(lock, running)
                await _serve(running, settings, asked, started, await is_thorough)
                say("Stopping; once more Ctrl-C kills it")
        finally:
            is_thorough.cancel()
            await asyncio.gather(is_thorough, return_exceptions=True)
    say("Stopped")


async def _serve(
    running: stack.Stack, settings: Settings, asked: asyncio.Event, started: float, is_thorough: bool
) -> None:
    stopping = asyncio.create_task(asked.wait())
    ready = asyncio.create_task(running.wait_ready(_READY_SECONDS))
    compiling: asyncio.Task[None] | None = None
    try:
        await asyncio.wait([stopping, ready], return_when=asyncio.FIRST_COMPLETED)
        if not ready.done():
            return
        for problem in ready.result():
            say(f"  still away: {problem}")
        say(_welcome(running, settings, time.monotonic() - started, is_thorough))
        if not is_thorough:
            compiling = asyncio.create_task(
                thorough.compile_engine(settings.places, settings.environment, say), name="thorough compile"
            )
        await stopping
    finally:
        for task in (stopping, ready, compiling):
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, StartFailed):
                    await task


def _handle(
    request: dict[str, Any], running: list[stack.Stack], settings: Settings, asked: asyncio.Event
) -> dict[str, Any]:
    match request:
        case {"do": "status"}:
            parts = running[0].status() if running else []
            return {"url": settings.http_url, "nats": running[0].nats_url if running else "", "parts": parts}
        case {"do": "scale", "executor": int(number)} if running and not asked.is_set():
            running[0].scale(number)
            return {"executor": number}
        case {"do": "down"}:
            asked.set()
            return {}
    raise StartFailed("this can't be done now; known are status, scale and down")


def _welcome(running: stack.Stack, settings: Settings, seconds: float, is_thorough: bool) -> str:
    compiled = "compiled" if is_thorough else "compiled quickly; a faster one is made in the background, some minutes"
    if not settings.places.sandboxed:
        compiled = f"NONE: PLUGINS RUN WITHOUT A SANDBOX (WASMFORGE_SANDBOX={INSECURE})"
    models = f"Ollama, {settings.ollama_url}"
    if running.embedded_model:
        models = "embedded smollm2:135m, no Ollama found"
    elif settings.other_models:
        models = f"as {' and '.join(OTHER_MODELS)} say"
    command = _short(PROJECT / "wasmforge")
    return f"""
WasmForge is ready after {seconds:.1f} s: {running.http_url}
  functions over NATS   {running.nats_url}
  models                {models}
  engine                {compiled}
  logs                  {_short(settings.places.state / "log")}

Try it in another terminal:
  {command} deploy {_short(PROJECT / "sdk" / "examples" / "summarize.py")}
  curl --data "The council approved twelve electric bus lines on Tuesday." {running.http_url}/fn/summarize

Ctrl-C stops it.
"""


def _short(path: Path) -> str:
    with contextlib.suppress(ValueError):
        return f"./{path.relative_to(Path.cwd())}"
    return str(path)


@contextlib.contextmanager
def _alone(state: Path) -> Iterator[TextIO]:
    """Hold the state folder's lock.

    Raises:
        StartFailed: another supervisor holds it.
    """
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (state / "supervisor.lock").open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            try:
                other = json.loads(lock.read())
                where = f" (process {other['pid']}) at {other['url']}"
            except (ValueError, KeyError, TypeError):
                where = ""
            raise StartFailed(f"WasmForge runs already{where}; `make down` stops it") from error
        yield lock


def _remember(lock: TextIO, running: stack.Stack) -> None:
    lock.truncate(0)
    lock.write(json.dumps({"pid": os.getpid(), "url": running.http_url}))
    lock.flush()
