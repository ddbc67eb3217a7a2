"""Runs hostile plugins in the sandboxes of a pool, as an executor does, and looks at what they leave."""

import asyncio
import json
import os
import textwrap
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from nats.aio.client import Client
from nats.aio.msg import Msg

from deploy.places import Places
from executor.admission import Admission
from executor.ai import AICalls
from executor.asking import Question
from executor.engine.cache import best_engine
from executor.execution import Execution, Outcome
from executor.pool import Pool
from executor.prepared import prepared
from schemas.digest import revision_digest
from schemas.errors import DeadlineExceeded, WasmForgeError
from schemas.limits import Limits
from schemas.messages import PluginRevision
from tests.security.attacks.attack import PREAMBLE, PROBE, Attack

FAR_MS = 30_000
"""A time limit that nothing well-behaved meets, even on a busy machine."""


class Broker:
    """Stands for the brokers (`executor.asking.Asking`): every model says the same."""

    async def ask(self, subject: str, body: bytes, given: dict[str, str], deadline: float) -> bytes:
        """As `executor.asking.Broker.ask`."""
        answer = {"model": "m", "response": "so says the model", "answered_by": "m"}
        models = {"models": [], "url": "", "connected": True}
        return json.dumps(models if "models" in subject else answer).encode()

    async def open(self, question: Question, subject: str, body: bytes, given: dict[str, str], deadline: float) -> str:
        """As `executor.asking.Broker.open`."""
        data = await self.ask(subject, body, given, deadline)
        question.deliver(cast(Msg, SimpleNamespace(data=data, headers=None)))
        return "question"

    async def close(self, name: str, question: Question) -> None:
        """As `executor.asking.Broker.close`."""


@dataclass(frozen=True)
class Ran:
    """A finished execution."""

    outcome: Outcome
    pid: int
    fit: bool
    seconds: float

    @property
    def error_type(self) -> str:
        """Type of the error; empty if there is none."""
        return str(self.outcome.error.error_type) if self.outcome.error else ""

    @property
    def error(self) -> str:
        """Text of the error."""
        return self.outcome.error.message if self.outcome.error else ""

    @property
    def output(self) -> str:
        """The output as text."""
        return self.outcome.output.decode("utf-8", "replace")


def places() -> tuple[Path, Path]:
    """Folder of WasmEdge and path of the best engine that set-up has compiled."""
    found = Places.read(os.environ)
    best = best_engine(found.engines)
    assert best is not None, f"no compiled engine in {found.engines}: run 'make setup'"
    return found.wasmedge, best


def revision(source: str, name: str = "plugin", **limits: int) -> PluginRevision:
    """A plugin as an executor gets it."""
    chosen = Limits(**({"timeout_ms": FAR_MS} | limits))
    return PluginRevision(name, revision_digest(source, chosen), source, chosen)


def plugin_of(attack: Attack) -> PluginRevision:
    """The plugin that an attack is."""
    source = textwrap.dedent(attack.source).lstrip("\n")
    return revision(source if attack.bare else PREAMBLE + source, **attack.limits)


class Runner:
    """Runs plugins, each in a process that is prepared for it."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool
        self._admission = Admission(cast(Client, None), slots=4, queue=4, outside=4)

    async def __call__(self, plugin: PluginRevision, data: bytes = b"", timeout_ms: int | None = None) -> Ran:
        """Run it once, within its own time or this one; what can't even be prepared counts as an outcome too."""
        loop = asyncio.get_running_loop()
        started = loop.time()
        place = self._admission.wait()
        with place:
            await place.take_slot()
            try:
                async with prepared(self.pool, plugin) as sandbox:
                    ai = AICalls(Broker(), plugin.limits.ai_calls, {})
                    execution = Execution(sandbox, plugin, ai, place)
                    deadline = loop.time() + (timeout_ms or plugin.limits.timeout_ms) / 1000
                    outcome = await execution.run(data, deadline, DeadlineExceeded("the time is up"))
                    return Ran(outcome, sandbox.pid, sandbox.fit, loop.time() - started)
            except WasmForgeError as error:
                return Ran(Outcome(error=error), 0, False, loop.time() - started)

    async def probe(self, plugin: PluginRevision, probe: bytes = PROBE) -> tuple[dict[str, Any], int]:
        """What a plugin with the preamble finds in its interpreter, and in which process."""
        ran = await self(plugin, probe, FAR_MS)
        assert ran.error_type == "", ran.error
        found: dict[str, Any] = json.loads(ran.outcome.output)
        return found, ran.pid


def differences(before: dict[str, Any], after: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """What is not as it was."""
    keys = before.keys() | after.keys()
    return {key: (before.get(key), after.get(key)) for key in keys if before.get(key) != after.get(key)}
