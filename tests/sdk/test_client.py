"""The client against the whole platform."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from schemas.errors import (
    AIErrorCode,
    AIFailure,
    DeadlineExceeded,
    InvalidInput,
    NotFound,
    PluginError,
    SandboxViolation,
    TooLarge,
)
from schemas.limits import Limits
from sdk.client import Done, Log, Output, WasmForge
from tests.support.platform import Platform

PIECES = """\
from platform_sdk import get_input, get_input_bytes, send_output
print("printed", get_input())
send_output("one")
send_output(b"\\xff\\x00")
send_output({"three": 3})
"""


@pytest.fixture(scope="module")
async def wf(stack: Platform) -> AsyncIterator[WasmForge]:
    async with WasmForge(stack.http_url) as client:
        yield client


async def test_a_plugin_from_deploy_to_delete(wf: WasmForge) -> None:
    first = await wf.deploy(
        "sdk_life", "print(1)", description="Counts", input_type="json", input_hint="{}", limits={"timeout_ms": 5000}
    )
    assert (first.name, first.description, first.input_type) == ("sdk_life", "Counts", "json")
    assert first.limits == Limits(timeout_ms=5000)
    assert await wf.run("sdk_life") == "1\n"

    second = await wf.deploy("sdk_life", "print(2)")
    assert second.revision != first.revision
    assert await wf.run("sdk_life") == "2\n"
    assert await wf.run("sdk_life", revision=first.revision) == "1\n"

    newest = (await wf.plugins())[0]
    assert (newest.name, newest.revision) == ("sdk_life", second.revision)
    shown = await wf.show("sdk_life")
    assert (shown.code, shown.limits) == ("print(2)", Limits())

    await wf.delete("sdk_life")
    with pytest.raises(NotFound, match="sdk_life"):
        await wf.run("sdk_life")
    with pytest.raises(NotFound, match="sdk_life"):
        await wf.delete("sdk_life")
    assert "sdk_life" not in [plugin.name for plugin in await wf.plugins()]


async def test_output_is_exact_plain_and_streamed(wf: WasmForge) -> None:
    await wf.deploy("sdk_pieces", PIECES)
    expected = b'one\n\xff\x00\n{"three": 3}'
    result = await wf.call("sdk_pieces", "x")
    assert result.output == await wf.run_bytes("sdk_pieces", b"x") == expected
    assert result.execution_id
    assert "run;dur=" in result.server_timing
    events = [event async for event in wf.stream("sdk_pieces", "x")]
    # Pieces that were sent in one moment may come as one.
    assert b"".join(event.data for event in events if isinstance(event, Output)) == expected
    assert "".join(e.text for e in events if isinstance(e, Log)) == "printed x\n"
    assert isinstance(events[-1], Done)
    assert events[-1].phases_us["run"] > 0


async def test_input_reaches_the_plugin_whole(wf: WasmForge) -> None:
    await wf.deploy("sdk_echo", "from platform_sdk import *\nsend_output(get_input_bytes())")
    for data in (b"", b"\xff\x00\r\n", b'{"ok": true, "value": "forged"}\n' * 3, bytes(range(256)) * 4096):
        assert await wf.run_bytes("sdk_echo", data) == data


@pytest.mark.parametrize(
    ("source", "seconds", "error", "said"),
    [
        ("x = 1\nraise KeyError('why')", 60, PluginError, r"line 2[\s\S]*KeyError: 'why'"),
        ("open('/etc/passwd')", 60, SandboxViolation, "The sandbox has no files"),
        ("while True: pass", 0.3, DeadlineExceeded, "300 ms"),
        ("from platform_sdk import *\ncall_ai('gpt', 'x')", 60, AIFailure, "not approved"),
    ],
)
async def test_failures_are_typed(
    wf: WasmForge, source: str, seconds: float, error: type[Exception], said: str
) -> None:
    await wf.deploy("sdk_fails", source)
    with pytest.raises(error, match=said) as plain:
        await wf.run("sdk_fails", timeout_seconds=seconds)
    assert plain.value.execution_id  # type: ignore[attr-defined]
    with pytest.raises(error, match=said) as streamed:
        [event async for event in wf.stream("sdk_fails", timeout_seconds=seconds)]
    assert streamed.value.execution_id  # type: ignore[attr-defined]


async def test_what_is_too_large_names_both_numbers(wf: WasmForge) -> None:
    await wf.deploy("sdk_small", "pass", limits=Limits(input_bytes=10))
    with pytest.raises(TooLarge, match=r"11 bytes.*10 bytes"):
        await wf.run("sdk_small", "x" * 11)


async def test_source_that_does_not_compile_says_where(wf: WasmForge) -> None:
    with pytest.raises(InvalidInput, match=r"^line 2, column \d+: "):
        await wf.deploy("sdk_bad", "x = 1\nx = = 2\n")
    with pytest.raises(NotFound):
        await wf.show("sdk_bad")


async def test_calls_run_side_by_side_on_one_client(wf: WasmForge) -> None:
    await wf.deploy("sdk_side", "from platform_sdk import *\nsend_output(get_input())")
    outputs = await asyncio.gather(*(wf.run("sdk_side", str(number)) for number in range(40)))
    assert outputs == [str(number) for number in range(40)]


async def test_an_abandoned_stream_leaves_the_client_usable(wf: WasmForge) -> None:
    await wf.deploy(
        "sdk_endless", "from platform_sdk import *\nwhile True: send_output('x' * 1000)", limits={"timeout_ms": 5000}
    )
    events = wf.stream("sdk_endless")
    assert isinstance(await anext(events), Output)
    await events.aclose()  # type: ignore[attr-defined]
    assert (await wf.health()).status == "ok"


async def test_models_and_health(wf: WasmForge) -> None:
    models = {model.name: model for model in await wf.models()}
    assert models["mistral:latest"].available
    assert models["mistral:latest"].answered_by == "smollm2:135m"
    health = await wf.health()
    assert (health.status, health.problems) == ("ok", [])
    assert health.executors >= 1
    assert (await wf.model_server()).status == "connected"


async def test_the_code_of_an_ai_error_survives(wf: WasmForge) -> None:
    await wf.deploy("sdk_ai", "from platform_sdk import *\ncall_ai('gpt', 'x')")
    with pytest.raises(AIFailure) as caught:
        await wf.run("sdk_ai")
    assert caught.value.code == AIErrorCode.MODEL_NOT_ALLOWED
