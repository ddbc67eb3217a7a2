"""The Python client: deploy, call and look at plugins over HTTP.

    async with WasmForge("http://127.0.0.1:8000") as wf:
        print(await wf.run("summarize", "a long text"))

Every failure is one of `schemas.errors`: `NotFound`, `PluginError`, `AIFailure`, `Busy`, … A call is never repeated by
the client, because the plugin may have run; what only reads is tried three times.
"""

import asyncio
import math
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from schemas import headers
from schemas.ai import ModelInfo
from schemas.errors import (
    Busy,
    InvalidInput,
    NotFound,
    RemoteTooLarge,
    RuntimeFault,
    Unavailable,
    WasmForgeError,
    from_wire,
)
from schemas.http import (
    Deleted,
    Detail,
    Health,
    InputType,
    OllamaHealth,
    PluginCode,
    PluginSummary,
    Problem,
    Uploaded,
    Usage,
)
from schemas.limits import CEILINGS, Limits
from schemas.names import check_plugin_name
from sdk.address import DEFAULT_URL, base_url
from sdk.events import Done, Event, Log, Output, read_events

__all__ = ["Done", "Event", "Log", "Output", "Result", "Unreachable", "WasmForge"]

T = TypeVar("T")

_THIS_MACHINE = ("127.0.0.1", "::1", "localhost")
_CONNECT_TIMEOUT_SECONDS = 5.0
_REQUEST_TIMEOUT_SECONDS = 30.0
_DEPLOY_TIMEOUT_SECONDS = 60.0
"""All files of a zip are compiled before the answer."""
_GRACE_SECONDS = 10.0
"""Added to a call's own time: its answer says `timeout` before this client stops waiting."""
_EVENT_STREAM = "text/event-stream; output=bytes"
"""Asks for output that is not UTF-8 as ``{"base64": "…"}``, not with U+FFFD in place of what is not."""
_READ_RETRY_WAITS_SECONDS = (0.1, 0.4)


class Unreachable(Unavailable):
    """Nothing answers at the address, or the connection broke."""

    title = "WasmForge can't be reached"


@dataclass(frozen=True)
class Result:
    """What a call gave, and what is known about it."""

    output: bytes
    execution_id: str
    revision: str | None
    server_timing: str
    """The ``Server-Timing`` header: one entry a phase, milliseconds."""
    tape: str | None = None
    """Of a recorded call: ``kept``, or ``lost:`` and why."""

    @property
    def text(self) -> str:
        """The output as UTF-8; what is not becomes U+FFFD."""
        return self.output.decode("utf-8", "replace")


class WasmForge:
    """A connection to one WasmForge. Use it as ``async with``; one serves any number of concurrent calls."""

    def __init__(self, url: str = DEFAULT_URL, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        """Args:
        url: the gateway's address, ``http://host:port`` or ``host:port``.
        transport: for tests, or a proxy of your own.
        """
        self.url = base_url(url)
        self._http = httpx.AsyncClient(
            base_url=self.url,
            timeout=httpx.Timeout(_REQUEST_TIMEOUT_SECONDS, connect=_CONNECT_TIMEOUT_SECONDS),
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=32),
            transport=transport,
            # A proxy in the environment is for the internet, never for this machine.
            trust_env=httpx.URL(self.url).host not in _THIS_MACHINE,
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def run(
        self, name: str, input: str | bytes = "", *, timeout_seconds: float | None = None, revision: str | None = None
    ) -> str:
        """Call a plugin and return its output as text.

        Args:
            name: the plugin.
            input: what its ``get_input()`` returns.
            timeout_seconds: what the call may take; the plugin's own limit if None.
            revision: digest of a revision to run; the current one if None.

        Raises:
            WasmForgeError: which subclass says what failed; ``execution_id`` is set where a call was begun.
        """
        return (await self.call(name, input, timeout_seconds=timeout_seconds, revision=revision)).text

    async def run_bytes(
        self, name: str, input: str | bytes = b"", *, timeout_seconds: float | None = None, revision: str | None = None
    ) -> bytes:
        """Like `run`, with the output byte for byte."""
        return (await self.call(name, input, timeout_seconds=timeout_seconds, revision=revision)).output

    async def call(
        self,
        name: str,
        input: str | bytes = b"",
        *,
        timeout_seconds: float | None = None,
        revision: str | None = None,
        record: bool = False,
    ) -> Result:
        """Like `run`, with what is known about the call; ``record`` keeps a tape of it (`tape`)."""
        async with self._calling(name, input, timeout_seconds, revision, accept="*/*", record=record) as response:
            output = await response.aread()
            return Result(
                output=output,
                execution_id=response.headers.get(headers.EXECUTION_ID, ""),
                revision=response.headers.get(headers.REVISION),
                server_timing=response.headers.get("Server-Timing", ""),
                tape=response.headers.get(headers.TAPE),
            )

    async def tape(self, execution_id: str) -> bytes:
        """The tape of a recorded call, as JSON (`schemas.tapes.Tape`).

        Raises:
            NotFound: the call was not recorded, or its tape is too old.
        """
        return (await self._read(f"/api/executions/{quote(execution_id, safe='')}/tape")).content

    async def stream(
        self, name: str, input: str | bytes = b"", *, timeout_seconds: float | None = None, revision: str | None = None
    ) -> AsyncIterator[Event]:
        """Call a plugin and yield `Output` and `Log` as they come, `Done` at last.

        Raises:
            WasmForgeError: as `run`, perhaps after some output.
        """
        async with self._calling(name, input, timeout_seconds, revision, accept=_EVENT_STREAM) as response:
            if not response.headers.get("Content-Type", "").startswith("text/event-stream"):
                raise RuntimeFault(f"{response.url} does not stream")
            async for event in read_events(response.aiter_bytes()):
                yield event

    async def deploy(
        self,
        name: str,
        source: str | bytes,
        *,
        description: str = "",
        input_type: InputType = "text",
        input_hint: str = "",
        limits: Limits | Mapping[str, int] | None = None,
    ) -> Uploaded:
        """Deploy a plugin: a new name, or a new revision of one that is there.

        Args:
            name: what it is called.
            source: its Python source, or the bytes of a zip.
            description: shown in lists.
            input_type: what a form that asks for the input shall show.
            input_hint: an example of the input.
            limits: see `schemas.limits.Limits`; what is not named keeps its default.

        Raises:
            InvalidInput: the source does not compile (says line and column), or a field can't be used.
        """
        check_plugin_name(name)
        fields = {"description": description, "input_type": input_type, "input_hint": input_hint}
        if limits is not None:
            fields["limits"] = msgspec.json.encode(limits).decode()
        code = source.encode("utf-8", "replace") if isinstance(source, str) else source
        # No Python source begins like that.
        is_archive = code.startswith(b"PK\3\4")
        files = {
            "file": (f"{name}.zip", code, "application/zip") if is_archive else (f"{name}.py", code, "text/x-python")
        }
        return _decode(
            await self._send("POST", "/api/plugins/upload", data=fields, files=files, timeout=_DEPLOY_TIMEOUT_SECONDS),
            Uploaded,
        )

    async def plugins(self) -> list[PluginSummary]:
        """All plugins, the newest first."""
        return _decode(await self._read("/api/plugins/list"), list[PluginSummary])

    async def show(self, name: str) -> PluginCode:
        """A plugin with its source and limits."""
        return _decode(await self._read(f"/api/plugins/{_segment(name)}/code"), PluginCode)

    async def delete(self, name: str) -> None:
        """Delete a plugin with all its revisions."""
        _decode(await self._send("DELETE", f"/api/plugins/{_segment(name)}"), Deleted)

    async def models(self) -> list[ModelInfo]:
        """The models that plugins may call."""
        return _decode(await self._read("/api/models/list"), list[ModelInfo])

    async def health(self) -> Health:
        """Which parts of the platform answer; also while some do not."""
        return _decode(await self._read("/health", accept_status=503), Health)

    async def model_server(self) -> OllamaHealth:
        """State of the model server."""
        return _decode(await self._read("/health/ollama"), OllamaHealth)

    async def usage(self) -> Usage:
        """What was asked of models, counted by model, plugin and caller, and how full budgets are."""
        return _decode(await self._read("/api/ai/usage"), Usage)

    @asynccontextmanager
    async def _calling(
        self,
        name: str,
        input: str | bytes,
        timeout_seconds: float | None,
        revision: str | None,
        *,
        accept: str,
        record: bool = False,
    ) -> AsyncIterator[httpx.Response]:
        asked = {"Accept": accept, "Content-Type": "application/octet-stream"}
        if timeout_seconds is not None:
            if not 0 < timeout_seconds < math.inf:
                raise InvalidInput(f"the time must be more than 0 seconds, not {timeout_seconds:g}")
            asked[headers.TIMEOUT_MS] = str(max(1, round(timeout_seconds * 1000)))
        if revision is not None:
            asked[headers.REVISION] = revision
        if record:
            asked[headers.RECORD] = "1"
        longest_seconds = CEILINGS.timeout_ms / 1000 if timeout_seconds is None else timeout_seconds
        content = input.encode("utf-8", "replace") if isinstance(input, str) else input
        try:
            async with self._http.stream(
                "POST",
                f"/fn/{_segment(name)}",
                content=content,
                headers=asked,
                timeout=httpx.Timeout(longest_seconds + _GRACE_SECONDS, connect=_CONNECT_TIMEOUT_SECONDS),
            ) as response:
                if not response.is_success:
                    await response.aread()
                    raise _failure(response)
                if headers.EXECUTION_ID not in response.headers:
                    raise RuntimeFault(
                        f"{response.url} did not answer as WasmForge does: {headers.EXECUTION_ID} is missing"
                    )
                yield response
        except httpx.TransportError as error:
            raise self._unreachable(error) from None

    async def _read(self, path: str, accept_status: int = 200) -> httpx.Response:
        for wait_seconds in _READ_RETRY_WAITS_SECONDS:
            try:
                return await self._send("GET", path, accept_status)
            except Unreachable:
                await asyncio.sleep(wait_seconds)
        return await self._send("GET", path, accept_status)

    async def _send(self, method: str, path: str, accept_status: int = 200, **content: Any) -> httpx.Response:
        try:
            response = await self._http.request(method, path, **content)
        except httpx.TransportError as error:
            raise self._unreachable(error) from None
        if not response.is_success and response.status_code != accept_status:
            raise _failure(response)
        return response

    def _unreachable(self, error: httpx.TransportError) -> Unreachable:
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout):
            return Unreachable(
                f"no WasmForge answers at {self.url}; is it running ('wasmforge up'), is the address right?"
            )
        if isinstance(error, httpx.TimeoutException):
            return Unreachable(f"WasmForge at {self.url} did not answer in time")
        return Unreachable(f"the connection to {self.url} broke: {error or type(error).__name__}")


def _segment(name: str) -> str:
    return quote(check_plugin_name(name), safe="")


def _decode(response: httpx.Response, type: type[T]) -> T:
    try:
        return msgspec.json.decode(response.content, type=type)
    except msgspec.MsgspecError as error:
        raise RuntimeFault(f"{response.url} did not answer as WasmForge does: {error}") from None


_BY_STATUS: dict[int, type[WasmForgeError]] = {400: InvalidInput, 404: NotFound, 422: InvalidInput, 503: Unavailable}


def _failure(response: httpx.Response) -> WasmForgeError:
    """The error that a response of 400 and above stands for: a problem of ``/fn``, or a detail of ``/api``."""
    error: WasmForgeError
    try:
        problem = msgspec.json.decode(response.content, type=Problem)
        error = from_wire(problem.error_type, problem.error, problem.code)
        error.execution_id = problem.execution_id
    except msgspec.MsgspecError:
        try:
            message = msgspec.json.decode(response.content, type=Detail).detail
        except msgspec.MsgspecError:
            message = f"{response.url} answered {response.status_code} {response.reason_phrase}"
        if response.status_code == 413:
            error = RemoteTooLarge(message)
        else:
            error = _BY_STATUS.get(response.status_code, RuntimeFault)(message)
    retry_after = response.headers.get("Retry-After", "")
    if retry_after.isdecimal() and isinstance(error, Busy | Unavailable):
        error.retry_after_seconds = int(retry_after)
    return error
