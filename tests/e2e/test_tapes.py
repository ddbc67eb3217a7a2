"""A call of the whole platform, with a real model's answer, put on tape and run again without either."""

from pathlib import Path

import httpx

from schemas import headers
from schemas.tapes import read_tape
from tests.sdk.command import wasmforge
from tests.support.platform import Platform

SOURCE = b"""
import random, sys
from platform_sdk import *
answer = call_ai("qwen2.5:1.5b", "Say hello to " + get_input(), options={"num_predict": 8})
print("asked", random.random(), file=sys.stderr)
send_output(f"{answer!r} {random.random()} {sorted({'a', 'b', 'c'}, key=hash)}")
"""


async def test_record_replay_and_test(stack: Platform, tmp_path: Path) -> None:
    url = stack.http_url
    source = tmp_path / "taped.py"
    source.write_bytes(SOURCE)
    assert (await wasmforge(url, "deploy", str(source))).code == 0
    tape = tmp_path / "call.tape.json"
    recorded = await wasmforge(url, "record", "taped", "Ann", "-o", str(tape))
    assert (recorded.code, recorded.err) == (0, f"recorded in {tape}; run it again: wasmforge replay {tape}\n")
    kept = read_tape(tape.read_bytes())
    assert kept.output == recorded.out.decode()
    assert kept.exchanges[0].request["arguments"]["prompt"] == "Say hello to Ann"

    again = await wasmforge(None, "replay", str(tape))
    assert (again.code, again.err) == (0, ""), again.out
    by_id = await wasmforge(url, "replay", kept.execution_id)
    assert by_id.code == 0
    tested = await wasmforge(None, "test", str(source), "--tape", str(tape))
    assert tested.out == f"passed  {tape}\n".encode()
    await wasmforge(url, "delete", "taped", "--yes")


async def test_a_call_that_fails_is_recorded_too(stack: Platform, tmp_path: Path) -> None:
    url = stack.http_url
    assert (await wasmforge(url, "deploy", "-", "--name", "taped_fails", stdin=b"print('x')\n1 / 0\n")).code == 0
    tape = tmp_path / "f.tape.json"
    recorded = await wasmforge(url, "record", "taped_fails", "x", "-o", str(tape))
    assert recorded.code == 1
    assert "ZeroDivisionError" in recorded.err
    ending = read_tape(tape.read_bytes()).ending
    assert ending is not None
    assert ending.error_type == "plugin_error"
    async with httpx.AsyncClient(base_url=url, timeout=30) as http:
        reply = await http.post("/fn/taped_fails", headers={headers.RECORD: "1", "Accept": "text/event-stream"})
        assert '"success":false' in reply.text
        execution_id = reply.headers[headers.EXECUTION_ID]
        found = await http.get(f"/api/executions/{execution_id}/tape")
        assert read_tape(found.content).execution_id == execution_id
        assert (await http.get("/api/executions/nobody/tape")).status_code == 404
    await wasmforge(url, "delete", "taped_fails", "--yes")
