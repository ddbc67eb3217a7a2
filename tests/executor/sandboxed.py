"""Plugins run in a real sandbox, without NATS: what a test hands in, and all that is known of what came out."""

import asyncio
import json
import textwrap
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

from nats.aio.client import Client
from nats.aio.msg import Msg

from executor.admission import Admission
from executor.ai import AICalls
from executor.asking import Question
from executor.execution import Execution, Outcome, Watcher
from executor.pool import Pool
from executor.prepared import prepared
from schemas import headers
from schemas.digest import revision_digest
from schemas.errors import DeadlineExceeded, WasmForgeError
from schemas.limits import Limits
from schemas.messages import PluginRevision

FAR_MS = 20_000
"""A deadline that no well-behaved test plugin meets, even on a busy machine."""

Answer = Callable[[str, bytes], Awaitable[bytes]]
"""What a scripted broker says: (subject, request body) → reply body."""


async def _no_broker(subject: str, body: bytes) -> bytes:
    raise AssertionError(f"nothing was to be asked on {subject}: {body!r}")


class Bus:
    """Brokers as AI calls ask them (`executor.asking.Asking`), answered by the test."""

    def __init__(self, answer: Answer = _no_broker) -> None:
        self._answer = answer
        self.asked: list[tuple[str, bytes]] = []

    async def ask(self, subject: str, body: bytes, given: dict[str, str], deadline: float) -> bytes:
        """As `executor.asking.Broker.ask`."""
        self.asked.append((subject, body))
        return await self._answer(subject, body)

    async def open(self, question: Question, subject: str, body: bytes, given: dict[str, str], deadline: float) -> str:
        """As `executor.asking.Broker.open`; the whole answer is there at once."""
        self.asked.append((subject, body))
        last = await self._answer(subject, body)
        reply = json.loads(last)
        text = (reply["message"].get("content", "") if "message" in reply else reply["response"]).encode()
        pieces = [SimpleNamespace(data=text, headers={headers.EVENT: headers.EVENT_OUTPUT})] if text else []
        for msg in (*pieces, SimpleNamespace(data=last, headers=None)):
            question.deliver(cast(Msg, msg))
        return "question"

    async def close(self, name: str, question: Question) -> None:
        """As `executor.asking.Broker.close`."""


@dataclass
class Ran:
    """A finished execution."""

    outcome: Outcome
    pid: int
    fit: bool
    """Whether its process takes another call."""
    seconds: float
    pieces: list[bytes] = field(default_factory=list)
    """Output as a streaming caller gets it."""
    log_pieces: list[bytes] = field(default_factory=list)

    @property
    def output(self) -> bytes:
        """The output of a call that went well."""
        assert self.outcome.error is None, f"{self.error_type}: {self.error}"
        return self.outcome.output

    @property
    def text(self) -> str:
        """The same, as text."""
        return self.output.decode()

    @property
    def value(self) -> Any:
        """The same, as JSON."""
        return json.loads(self.output)

    @property
    def error_type(self) -> str:
        """Type of the error; empty if there is none."""
        return str(self.outcome.error.error_type) if self.outcome.error else ""

    @property
    def error(self) -> str:
        """Text of the error; empty if there is none."""
        return self.outcome.error.message if self.outcome.error else ""

    @property
    def log(self) -> str:
        """What it printed."""
        return self.outcome.log.decode("utf-8", "replace")


class Runner:
    """Runs plugins in the sandboxes of a pool."""

    def __init__(self, pool: Pool, slots: int = 4) -> None:
        self.pool = pool
        # A call that waits for a model keeps its slot here, so that a test can fill them.
        self._admission = Admission(cast(Client, None), slots, queue=1000, outside=0)

    async def __call__(self, source: str, data: bytes | str = b"", *, bus: Bus | None = None, **limits: int) -> Ran:
        """Run ``source`` (indented as you like) on ``data``, with these limits."""
        return await self.plugin(revision(source, **limits), data, bus=bus)

    async def plugin(self, plugin: PluginRevision, data: bytes | str = b"", *, bus: Bus | None = None) -> Ran:
        """The same for a plugin as an executor gets it."""
        body = data.encode() if isinstance(data, str) else data
        pieces: list[bytes] = []
        log_pieces: list[bytes] = []
        loop = asyncio.get_running_loop()
        with self._admission.enter() or self._admission.wait() as place:
            await place.take_slot()
            try:
                async with prepared(self.pool, plugin) as sandbox:
                    ai = AICalls(bus or Bus(), plugin.limits.ai_calls, {})
                    execution = Execution(sandbox, plugin, ai, place, Watcher(pieces.append, log_pieces.append))
                    started = loop.time()
                    deadline = started + plugin.limits.timeout_ms / 1000
                    outcome = await execution.run(body, deadline, DeadlineExceeded("the time is up"))
                    return Ran(outcome, sandbox.pid, sandbox.fit, loop.time() - started, pieces, log_pieces)
            except WasmForgeError as error:
                return Ran(Outcome(error=error), 0, False, 0.0)

    async def carried(self, source: str, data: bytes | str = b"") -> Ran:
        """Run ``source`` as what one and the same plugin is told to run, and so in that plugin's process."""
        body = data.encode() if isinstance(data, str) else data
        return await self(_CARRIER, textwrap.dedent(source).encode() + b"\0" + body)


_CARRIER = """
import platform_sdk, _wasmforge
source, _, _wasmforge.input = _wasmforge.input.partition(b"\\0")
exec(compile(source, "plugin.py", "exec"))
"""


def revision(source: str, name: str = "plugin", **limits: int) -> PluginRevision:
    """A plugin as an executor gets it."""
    text = textwrap.dedent(source).lstrip("\n")
    chosen = Limits(**({"timeout_ms": FAR_MS} | limits))
    return PluginRevision(name, revision_digest(text, chosen), text, chosen)
