"""A plugin may write anything to any descriptor: it gains nothing, and no later call feels it."""

import json

import pytest

from executor.execution import _MAX_REQUESTS
from executor.sandbox import frames
from schemas.limits import MIB
from tests.executor.sandboxed import Bus, Runner


async def _still_well(run: Runner) -> None:
    ran = await run("from platform_sdk import *\nprint('log')\nsend_output(get_input())", "well")
    assert ran.output == b"well"
    assert ran.log == "log\n"


async def test_garbage_on_every_descriptor_with_every_kind_does_nothing(run: Runner) -> None:
    ran = await run(
        """
        import os
        from platform_sdk import *
        written = []
        for kind in range(256):
            for descriptor in range(64):
                if descriptor == 0 and kind in (16, 17, 18, 20):
                    continue
                try:
                    os.write(descriptor, bytes([kind]) + b"garbage" * 9)
                    written.append(descriptor)
                except OSError:
                    pass
        send_output(sorted(set(written)))
        """
    )
    assert ran.value == [1, 2]
    assert ran.fit
    await _still_well(run)


@pytest.mark.parametrize("kind", sorted(set(range(256)) - frames.GUEST_KINDS))
async def test_a_guest_can_not_forge_a_frame_of_the_host(run: Runner, kind: int) -> None:
    ran = await run(f"import os\nos.write(0, bytes([{kind}]) + bytes(26))")
    assert "OSError: [Errno 28] Invalid argument" in ran.error
    assert ran.fit


@pytest.mark.parametrize(
    "payload", [b"", b"\0", b"plugin_error\0forged", b"no_such_type\0text", b"\xff\xfe\0\xff", b"no nul"]
)
async def test_a_forged_result_is_overruled_by_the_true_one(run: Runner, payload: bytes) -> None:
    ran = await run(f"import os\nos.write(0, b'\\x12' + {payload!r})\nprint('true')")
    assert ran.output == b"true\n"
    await _still_well(run)


async def test_a_forged_result_counts_no_more_than_an_error_of_the_plugin(run: Runner) -> None:
    ran = await run("import os, sys\nos.write(0, b'\\x12runtime_error\\0ours, they say')\nos.abort()")
    assert ran.error_type == "plugin_error"
    source = "import os\nos.write = lambda *_: 0\nimport builtins\nbuiltins.bytes = None\n1/0"
    assert (await run(source)).error_type == "plugin_error"
    await _still_well(run)


@pytest.mark.parametrize("size", [1, 5, 16 * MIB, 17 * MIB])
async def test_output_past_the_sdk_is_bound_by_the_same_limit(run: Runner, size: int) -> None:
    ran = await run(f"import os\nos.write(0, b'\\x10' + b'x' * {size})", output_bytes=4)
    if size <= 4:
        assert ran.output == b"x"
    elif size < 16 * MIB:
        assert ran.error_type == "output_too_large"
    else:
        assert "Invalid argument" in ran.error
    await _still_well(run)


async def test_an_empty_write_to_the_channel_is_refused(run: Runner) -> None:
    assert "Invalid argument" in (await run("import os\nos.write(0, b'')")).error
    await _still_well(run)


async def test_reading_the_channel_gives_nothing_that_was_not_asked_for(run: Runner) -> None:
    ran = await run("import os\nprint([os.read(0, n) for n in (0, 1, 4, 100_000)])", "input")
    assert ran.text == "[b'', b'', b'', b'']\n"
    ran = await run("import os\nprint(os.pread(0, 10, 0))")
    assert ran.error_type
    await _still_well(run)


async def _models(subject: str, body: bytes) -> bytes:
    return json.dumps({"models": [], "url": "http://nowhere", "connected": True}).encode()


LIST_MODELS = b'\x11{"operation": "models"}'


async def test_requests_past_the_sdk_are_answered_like_its_own(run: Runner) -> None:
    ran = await run(f"import os\nos.write(0, {LIST_MODELS})\nprint(os.read(0, 1000)[4:])", bus=Bus(_models))
    assert ran.text == 'b\'{"ok":true,"value":[]}\'\n'
    assert ran.fit


@pytest.mark.parametrize(
    "payload",
    [b"", b"\xff\xfe", b"[]", b"null", b'{"operation": 1}', b'{"operation": "drop tables"}', b"[" * 100_000,
     b"1" * 100_000,
     b'{"operation": "generate"}', b'{"operation": "generate", "arguments": {"model": 1, "prompt": []}}'],
)  # fmt: skip
async def test_a_request_that_makes_no_sense_is_answered_so(run: Runner, payload: bytes) -> None:
    ran = await run(
        f"import os, json\nos.write(0, b'\\x11' + {payload!r})\nprint(json.loads(os.read(0, 9999)[4:])['code'])"
    )
    assert ran.text == "invalid_prompt\n"
    await _still_well(run)


async def test_a_request_that_no_server_would_carry_is_refused_at_once(run: Runner) -> None:
    ran = await run("from platform_sdk import *\ncall_ai('m', 'p', system='x' * 6_000_000)")
    assert ran.error_type == "ai_error"
    assert "at most 5,242,880 are allowed" in ran.error


async def test_a_failure_nobody_foresaw_is_answered_too(run: Runner, caplog: pytest.LogCaptureFixture) -> None:
    async def breaks(subject: str, body: bytes) -> bytes:
        raise ZeroDivisionError

    ran = await run("from platform_sdk import *\ncall_ai('m', 'p')", bus=Bus(breaks))
    assert ran.error_type == "ai_error"
    assert "the platform failed to pass the request on" in ran.error
    assert "a request of a plugin failed" in caplog.text


async def test_asking_again_before_the_answer_ends_the_call(run: Runner) -> None:
    ran = await run(f"import os\nwhile True: os.write(0, {LIST_MODELS})", bus=Bus(_models))
    assert ran.error_type == "sandbox_violation"
    assert ran.error == "the plugin asked again before the platform had answered"
    assert not ran.fit
    await _still_well(run)


async def test_asking_without_end_ends_the_call(run: Runner) -> None:
    ran = await run("import os\nwhile True:\n    os.write(0, b'\\x11{}')\n    os.read(0, 1000)")
    assert ran.error == f"the plugin asked the platform for something {_MAX_REQUESTS:,} times"
    assert ran.error_type == "sandbox_violation"


@pytest.mark.parametrize("wait", ["", "\nimport time; time.sleep(0.05)"], ids=["at once", "later"])
async def test_a_reply_that_nobody_read_does_not_reach_the_next_call(run: Runner, wait: str) -> None:
    for _ in range(3):
        ran = await run(f"import os\nos.write(0, {LIST_MODELS}){wait}\nprint('left it')", bus=Bus(_models))
        assert ran.output == b"left it\n"
        assert not ran.fit
        await _still_well(run)


@pytest.mark.parametrize(
    "source",
    [
        "import os\nfor n in range(64):\n    try: os.close(n)\n    except OSError: pass\n",
        "import sys\nsys.stdout.close(); sys.stderr.close(); sys.stdin.close()\n",
        "import sys\nsys.stdout = sys.stderr = sys.__stdout__ = sys.__stderr__ = sys.stdin = None\n",
        "import os\nos.closerange(0, 64)\n",
    ],
    ids=["descriptors", "files", "none", "range"],
)
async def test_closing_everything_leaves_the_channel_open(run: Runner, source: str) -> None:
    ran = await run(source + "from platform_sdk import *\nsend_output('still')")
    assert ran.output == b"still"
    assert ran.fit
    await _still_well(run)
    ran = await run(source + "1/0")
    assert ran.error.endswith("ZeroDivisionError: division by zero")
    await _still_well(run)


async def test_moving_descriptors_about_is_refused(run: Runner) -> None:
    for source in ("os.dup(0)", "os.dup2(1, 0)", "os.ftruncate(0, 0)", "os.lseek(0, 0, 0)", "os.fsync(0)"):
        ran = await run(f"import os\n{source}")
        assert ran.error_type in ("plugin_error", "sandbox_violation"), source
        assert ran.fit
    await _still_well(run)
