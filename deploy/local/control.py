"""The supervisor's control socket: one JSON request a line, one JSON reply a line.

``{"do": "status"}`` → the parts and addresses. ``{"do": "scale", "executor": 5}``. ``{"do": "down"}`` is answered at
once and the connection stays open until everything has stopped. Only this user reaches the socket: its folder is 0700.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from deploy.local.process import StartFailed
from deploy.local.sockets import folder_of, make_folder

_MAX_LINE_BYTES = 64 * 1024
_ANSWER_SECONDS = 10.0

Handler = Callable[[dict[str, Any]], dict[str, Any]]


class NotRunning(Exception):
    """No supervisor runs on this state folder."""


def socket_path(state: Path) -> Path:
    """Where the supervisor of the stack in ``state`` listens."""
    return folder_of(state) / "control.sock"


@contextlib.asynccontextmanager
async def serve(state: Path, handle: Handler) -> AsyncIterator[None]:
    """Answer requests for the length of the context. Connections stay open until its end.

    Args:
        state: the stack's state folder.
        handle: from request to reply; a `StartFailed` becomes ``{"ok": false, "error": …}``.
    """
    path = make_folder(state) / socket_path(state).name
    path.unlink(missing_ok=True)  # what a killed supervisor left; the caller holds the lock
    connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None, "asyncio runs this in a task"
        connections[task] = writer
        try:
            while line := await reader.readline():
                writer.write(json.dumps(_answer(handle, line)).encode() + b"\n")
                await writer.drain()
        except (OSError, ValueError):  # gone, or a line beyond the limit
            pass
        finally:
            del connections[task]
            writer.close()

    server = await asyncio.start_unix_server(connected, path, limit=_MAX_LINE_BYTES)
    try:
        yield
    finally:
        server.close()
        for writer in connections.values():
            writer.close()
        # Cancelled at the loop's end instead, each would print a traceback.
        if connections:
            await asyncio.wait(list(connections), timeout=1)
        path.unlink(missing_ok=True)


def _answer(handle: Handler, line: bytes) -> dict[str, Any]:
    try:
        request = json.loads(line)
        if not isinstance(request, dict):
            raise StartFailed("a request is a JSON object")
        return {"ok": True} | handle(request)
    except (StartFailed, ValueError) as error:
        return {"ok": False, "error": str(error)}


async def ask(state: Path, request: dict[str, Any], *, until_gone_seconds: float | None = None) -> dict[str, Any]:
    """Ask the supervisor of the stack in ``state``.

    Args:
        state: the stack's state folder.
        request: see this module.
        until_gone_seconds: also wait, at most so long, until it has ended.

    Raises:
        NotRunning: there is none.
        StartFailed: it refused, or did not answer or end in time.
    """
    try:
        reader, writer = await asyncio.open_unix_connection(socket_path(state), limit=_MAX_LINE_BYTES)
    except OSError as error:
        raise NotRunning("WasmForge is not running; start it with `make up`") from error
    try:
        async with asyncio.timeout(_ANSWER_SECONDS):
            writer.write(json.dumps(request).encode() + b"\n")
            line = await reader.readline()
        if until_gone_seconds is not None:
            async with asyncio.timeout(until_gone_seconds):
                await reader.read()
    except (TimeoutError, OSError) as error:
        raise StartFailed("the supervisor does not answer; see its output, or stop its process") from error
    finally:
        writer.close()
    if not line:
        raise NotRunning("WasmForge is just stopping")
    reply = json.loads(line)
    if not reply.get("ok"):
        raise StartFailed(str(reply.get("error", "refused")))
    return dict(reply)
