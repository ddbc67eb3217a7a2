"""A pytest plugin for authors of plugins: their code in the sandbox, with answers of a tape or of the test's own.

def test_summary(wasmforge_plugin):
    ran = wasmforge_plugin("summarize.py", "a long text", answers=["a summary"])
    assert ran.text == "a summary"
    assert ran.prompts == ["Summarize: a long text"]

def test_as_recorded(wasmforge_plugin):
    wasmforge_plugin("summarize.py", tape="summarize.tape.json").check()
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from schemas.limits import Limits
from schemas.tapes import Replayed, Tape, bytes_of
from sdk import replay as replaying
from sdk.cli.sources import read_source


@dataclass(frozen=True)
class Ran:
    """A finished run."""

    tape: Tape
    replayed: Replayed

    @property
    def output(self) -> bytes:
        """What it sent, or printed if it sent nothing."""
        return bytes_of(self.replayed.output)

    @property
    def text(self) -> str:
        """The same, as text."""
        return self.output.decode("utf-8", "replace")

    @property
    def json(self) -> Any:
        """The same, as JSON."""
        return json.loads(self.output)

    @property
    def log(self) -> str:
        """What it printed."""
        return bytes_of(self.replayed.log).decode("utf-8", "replace")

    @property
    def error_type(self) -> str:
        """``plugin_error``, …; empty if it ended well."""
        return self.replayed.ending.error_type if self.replayed.ending else ""

    @property
    def error(self) -> str:
        """Its traceback, or what else went wrong; empty if it ended well."""
        return self.replayed.ending.error if self.replayed.ending else ""

    @property
    def requests(self) -> list[Any]:
        """What it asked the platform for, in order: ``{"operation": …, "arguments": {…}}``."""
        return [exchange.request for exchange in self.replayed.exchanges]

    @property
    def prompts(self) -> list[str]:
        """The prompts among that."""
        return [found["arguments"]["prompt"] for found in self.requests if "prompt" in found.get("arguments", {})]

    def check(self, *, log: bool = False) -> None:
        """Fail unless all that came out is as on the tape.

        Args:
            log: whether what was printed counts.
        """
        __tracebackhide__ = True
        found = replaying.differences(self.tape, self.replayed, log=log)
        if found:
            pytest.fail("\n\n".join(["not as on the tape", *found]), pytrace=False)


class PluginRunner:
    """Runs plugins in the sandbox of this machine, about a second each; the same run is the same each time."""

    def __call__(
        self,
        source: str | Path,
        input: str | bytes | None = None,
        *,
        tape: str | Path | None = None,
        answers: Sequence[Any] = (),
        limits: Limits | None = None,
    ) -> Ran:
        """Run a plugin.

        Args:
            source: its file, a zip, or a folder.
            input: what ``get_input()`` returns; of a tape, its own.
            tape: a recorded call whose input, clock, random numbers and answers it gets.
            answers: instead of a tape, what each call of the SDK returns, in order; ``{"ok": False, "error": …,
                "code": …}`` makes it raise `AIError`.
            limits: instead of the usual ones.

        The test fails if the plugin asks for what has no answer here.
        """
        __tracebackhide__ = True
        content = read_source(str(source)).content
        if tape is not None:
            if input is not None or answers or limits is not None:
                raise TypeError("a tape has its own input, answers and limits")
            made = replaying.with_source(replaying.load(Path(tape)), content)
        else:
            data = input.encode() if isinstance(input, str) else input or b""
            made = replaying.by_hand(content, data, answers, limits or Limits())
        replayed = replaying.replay(made)
        if replayed.strayed is not None:
            pytest.fail(f"{source}: {replayed.strayed}", pytrace=False)
        return Ran(made, replayed)


@pytest.fixture
def wasmforge_plugin() -> PluginRunner:
    """Runs a plugin in the sandbox: ``wasmforge_plugin("plugin.py", "input", answers=["a model's answer"])``."""
    return PluginRunner()
