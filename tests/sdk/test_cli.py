"""The command line as a Unix tool: what goes where, and its exit codes. The server is scripted."""

import asyncio
import json
import os
import pty
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from schemas.archive import pack, unpack
from schemas.errors import InvalidInput
from schemas.http import Problem
from sdk.cli import main
from sdk.cli.sources import read_source
from tests.sdk.command import command, environment, wasmforge
from tests.sdk.scripted import EVENT_STREAM, HANG, answer_json, scripted

DONE = b'event: done\ndata: {"success":true,"error":null,"error_type":null,"execution_id":"e1","phases":{"run":7}}\n\n'
FAILED = (
    b'event: done\ndata: {"success":false,"error":"Traceback\\n  line 3\\nValueError: no","error_type":"plugin_error",'
    b'"execution_id":"e1","phases":{}}\n\n'
)


async def test_input_from_standard_input_and_output_to_standard_output_byte_for_byte() -> None:
    events = (
        b'event: log\ndata: "printed\\n"\n\nevent: output\ndata: "a\\r\\n\\u0000"\n\n'
        b'event: output\ndata: {"base64":"/wA="}\n\n'
    )
    async with scripted([EVENT_STREAM, events + DONE]) as server:
        ran = await wasmforge(server.url, "run", "p", stdin=b"in\xff\x00\r\n")
    assert (ran.code, ran.out, ran.err) == (0, b"a\r\n\x00\xff\x00", "printed\n")
    assert server.requests[0].body == b"in\xff\x00\r\n"
    assert server.requests[0].line == "POST /fn/p HTTP/1.1"


async def test_input_from_the_argument_with_time_and_revision() -> None:
    async with scripted([EVENT_STREAM, DONE]) as server:
        ran = await wasmforge(
            server.url,
            "run",
            "p",
            "--timeout",
            "1.5",
            "--revision",
            "f" * 64,
            "gr\N{LATIN SMALL LETTER U WITH DIAERESIS}n",
        )
    assert (ran.code, ran.out) == (0, b"")
    assert server.requests[0].body.decode() == "gr\N{LATIN SMALL LETTER U WITH DIAERESIS}n"
    assert server.requests[0].headers["wasmforge-timeout-ms"] == "1500"
    assert server.requests[0].headers["wasmforge-revision"] == "f" * 64


async def test_a_plugin_that_fails_keeps_its_output_and_says_why() -> None:
    async with scripted([EVENT_STREAM, b'event: output\ndata: "begun"\n\n' + FAILED]) as server:
        ran = await wasmforge(server.url, "run", "p")
    assert (ran.code, ran.out) == (1, b"begun")
    assert ran.err == "wasmforge: p failed (plugin_error, execution e1):\nTraceback\n  line 3\nValueError: no\n"


async def test_run_as_json_holds_everything() -> None:
    events = b'event: log\ndata: "l"\n\nevent: output\ndata: "o"\n\n'
    async with scripted([EVENT_STREAM, events + DONE], [EVENT_STREAM, events + FAILED]) as server:
        done, failed = (
            await wasmforge(server.url, "run", "p", "--json"),
            await wasmforge(server.url, "--json", "run", "p"),
        )
    assert done.code == 0
    assert json.loads(done.out) == {
        "success": True, "output": "o", "error": None, "error_type": None, "execution_id": "e1",
        "phases_us": {"run": 7}, "log": "l",
    }  # fmt: skip
    assert failed.code == 1
    assert json.loads(failed.out)["error_type"] == "plugin_error"
    assert json.loads(failed.out)["output"] == "o"


@pytest.mark.parametrize(
    ("error_type", "code"),
    [
        ("timeout", 1),
        ("ai_error", 1),
        ("not_found", 2),
        ("too_large", 2),
        ("busy", 3),
        ("unavailable", 3),
        ("runtime_error", 3),
    ],
)
async def test_exit_codes_of_a_call(error_type: str, code: int) -> None:
    problem = Problem("about:blank", "t", 500, "d", error_type, "the reason")
    async with scripted(answer_json("500 Failed", problem)) as server:
        ran = await wasmforge(server.url, "run", "p")
    assert (ran.code, ran.out) == (code, b"")
    assert "the reason" in ran.err
    assert "Traceback" not in ran.err


async def test_output_comes_as_it_is_sent_and_control_c_ends_it() -> None:
    async with scripted([EVENT_STREAM, b'event: output\ndata: "first"\n\n', HANG]) as server:
        process = await asyncio.create_subprocess_exec(
            *command(server.url, ["run", "p", "x"]),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment(),
        )
        assert process.stdout is not None
        assert await process.stdout.readexactly(5) == b"first"
        process.send_signal(signal.SIGINT)
        out, err = await process.communicate()
    assert (process.returncode, out, err) == (130, b"", b"")


async def test_a_reader_that_has_enough_is_no_error() -> None:
    piece = b'event: output\ndata: "%s"\n\n' % (b"x" * 200_000)
    async with scripted([EVENT_STREAM, *[piece] * 5, DONE]) as server:
        process = await asyncio.create_subprocess_shell(
            f"{sys.executable} -m sdk.cli --url {server.url} run p x | head -c 1; echo $?",
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment(),
        )
        out, err = await process.communicate()
    assert out == b"x0\n"
    assert err == b""


async def test_a_full_disk_is_said_in_a_sentence() -> None:
    async with scripted([EVENT_STREAM, b'event: output\ndata: "x"\n\n' + DONE]) as server:
        full = os.open("/dev/full", os.O_WRONLY)
        process = await asyncio.create_subprocess_exec(
            *command(server.url, ["run", "p", "x"]), stdout=full, stderr=asyncio.subprocess.PIPE, env=environment()
        )
        os.close(full)
        _, err = await process.communicate()
    assert (process.returncode, err) == (3, b"wasmforge: [Errno 28] No space left on device\n")


async def test_syntax_error_at_deploy_names_file_and_line(tmp_path: Path) -> None:
    file = tmp_path / "bad.py"
    file.write_text("x = (\n")
    async with scripted(answer_json("400 Bad Request", {"detail": "line 1, column 5: '(' was never closed"})) as server:
        ran = await wasmforge(server.url, "deploy", str(file))
    assert (ran.code, ran.out) == (2, b"")
    assert ran.err == f"wasmforge: {file}:1:5: '(' was never closed\n"


async def test_a_folder_is_sent_as_a_zip_and_errors_name_its_files(tmp_path: Path) -> None:
    folder = tmp_path / "tool"
    for path, text in {
        "plugin.py": "\"\"\"Does it all.\"\"\"\nimport part.a\n", "part/a.py": "x = 1\n", "part/data.txt": "d",
        ".env": "SECRET=1",
        "part/__pycache__/a.cpython-312.pyc": "cache", ".git/config": "SECRET=2", "node/.hidden": "SECRET=3",
    }.items():  # fmt: skip
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    (folder / "linked.txt").symlink_to(folder / "part" / "data.txt")
    async with scripted(answer_json("400 Bad Request", {"detail": "part/a.py, line 2, column 3: no"})) as server:
        ran = await wasmforge(server.url, "deploy", f"{folder}/")
    assert (ran.code, ran.err) == (2, f"wasmforge: {folder}/part/a.py:2:3: no\n")
    body = server.requests[0].body
    assert b'filename="tool.zip"' in body
    assert b"\r\n\r\nDoes it all.\r\n" in body
    assert b"SECRET" not in body
    start = body.index(b"PK\3\4")
    assert sorted(unpack(body[start : body.index(b"\r\n--", start)])) == [
        "linked.txt", "part/a.py", "part/data.txt", "plugin.py",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("target", "said"),
    [("/etc/passwd", "is a link out of the folder"), ("part", "or to a folder"), ("nowhere", "No such file")],
)
def test_a_link_that_leads_out_of_the_folder_is_refused(tmp_path: Path, target: str, said: str) -> None:
    (tmp_path / "part").mkdir()
    (tmp_path / "plugin.py").write_text("x = 1\n")
    (tmp_path / "link").symlink_to(target)
    with pytest.raises(InvalidInput, match=said):
        read_source(str(tmp_path))


def test_a_zip_is_sent_as_it_is_once_it_can_be_one(tmp_path: Path) -> None:
    file = tmp_path / "Tool.ZIP"
    file.write_bytes(pack({"tool/plugin.py": b"x = 1\n", "tool/a.txt": b"a"}))
    source = read_source(str(file))
    assert (source.name, source.content, source.main, source.is_archive) == (
        "Tool",
        file.read_bytes(),
        b"x = 1\n",
        True,
    )
    file.write_bytes(pack({"tool/main.py": b"x = 1\n"}))
    with pytest.raises(InvalidInput, match=r"no plugin\.py"):
        read_source(str(file))


async def test_deploy_sends_the_file_as_it_is_with_its_docstring(tmp_path: Path) -> None:
    file = tmp_path / "my_plugin.py"
    file.write_bytes(b'"""Says hello.\n\nMore."""\r\nprint("\xc3\xa9")\r\n')
    reply = {
        "status": "uploaded", "name": "my_plugin", "code": "", "description": "", "input_type": "json",
        "input_hint": "", "calls": 1, "revision": "a" * 64, "limits": {},
    }  # fmt: skip
    async with scripted(answer_json("200 OK", reply)) as server:
        ran = await wasmforge(
            server.url, "deploy", str(file), "--input-type", "json", "--limits", "timeout_ms=30_000,ai_calls=2"
        )
        assert (ran.code, ran.err) == (0, "")
        assert b"my_plugin" in ran.out
    body = server.requests[0].body
    assert file.read_bytes() in body
    assert b'filename="my_plugin.py"' in body
    assert b"\r\n\r\nSays hello.\r\n" in body
    assert b'"timeout_ms":30000' in body
    assert b'"ai_calls":2' in body


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["deploy", "/nowhere/x.py"], "/nowhere/x.py: No such file or directory"),
        (["deploy", "/"], "no plugin.py and no __main__.py in /"),
        (["deploy", "-"], "--name"),
        (["deploy", __file__, "--name", "a b"], "can't be a plugin's name"),
        (["deploy", __file__, "--limits", "speed=9"], "timeout_ms, cpu_ms, memory_bytes"),
        (["deploy", __file__, "--limits", "timeout_ms=0"], "at least 1"),
        (["run", "../x", "y"], "can't be a plugin's name"),
        (["run", "x", "y", "--timeout", "0"], "more than 0 seconds"),
        (["delete", "x"], "--yes"),
        (["--url", "ftp://x", "list"], "is not an address"),
        (["fly"], "invalid choice"),
        ([], "COMMAND"),
    ],
)
def test_what_can_not_be_done_is_said_before_anything_is_sent(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WASMFORGE_HTTP", raising=False)
    # In this process, for speed; in a thread, because the command has an event loop of its own.
    with ThreadPoolExecutor(1) as pool:
        try:
            code: object = pool.submit(main, arguments).result()
        except SystemExit as usage:
            code = usage.code
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert said in err


async def test_nobody_there() -> None:
    async with scripted([]) as server:
        pass
    ran = await wasmforge(server.url, "list")
    assert ran.code == 3
    assert ran.err.startswith(f"wasmforge: no WasmForge answers at {server.url}")
    assert ran.err.count("\n") == 1
    as_json = await wasmforge(server.url, "list", "--json")
    assert as_json.code == 3
    assert json.loads(as_json.out)["error_type"] == "unavailable"


async def test_a_description_can_not_break_the_table() -> None:
    plugin = {
        "name": "p", "description": "two\nlines\x1b[31m", "input_type": "text", "input_hint": "", "calls": 1,
        "revision": "a" * 64, "updated_at": "2026-01-02T03:04:05Z",
    }  # fmt: skip
    async with scripted(answer_json("200 OK", [plugin])) as server:
        ran = await wasmforge(server.url, "list")
    assert ran.out.decode().splitlines()[1:] == ["p     text   2026-01-02 03:04  two lines [31m"]


async def test_a_log_can_not_steer_a_terminal_and_the_prompt_gets_its_own_line() -> None:
    events = b'event: log\ndata: "\\u001b]0;title\\u0007seen\\n"\n\nevent: output\ndata: "out"\n\n'
    ours, theirs = pty.openpty()
    async with scripted([EVENT_STREAM, events + DONE]) as server:
        process = await asyncio.create_subprocess_exec(
            *command(server.url, ["run", "p", "x"]), stdout=theirs, stderr=theirs, env=environment()
        )
        assert await process.wait() == 0
    os.close(theirs)
    shown = os.read(ours, 10_000).decode()
    os.close(ours)
    assert shown == "\N{REPLACEMENT CHARACTER}]0;title\N{REPLACEMENT CHARACTER}seen\r\nout\r\n"


async def test_the_local_stack_is_asked_by_its_own_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WASMFORGE_STATE", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    down = await wasmforge(None, "down")
    assert (down.code, down.out, down.err) == (0, b"WasmForge is not running\n", "")
    scale = await wasmforge(None, "scale", "executor=2")
    assert (scale.code, scale.out) == (1, b"")
    assert "WasmForge is not running" in scale.err
    wrong = await wasmforge(None, "scale", "executor=many")
    assert (wrong.code, wrong.out) == (2, b"")
