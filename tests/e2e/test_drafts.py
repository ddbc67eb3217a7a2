"""Sources that run in the real sandbox without ever being deployed."""

import json

import httpx
import nats.errors
import pytest
from nats.aio.client import Client

from schemas import subjects


async def test_a_draft_runs_in_the_sandbox_and_leaves_nothing(http: httpx.AsyncClient, nc: Client) -> None:
    events = await nc.subscribe(subjects.EXECUTION_EVENTS)
    await nc.flush()
    source = "from platform_sdk import get_input, send_output\nprint('seen')\nsend_output(get_input().upper())"
    reply = await http.post("/api/plugins/try", json={"source": source, "input": "näive"})
    shape = reply.json()
    assert (shape["success"], shape["output"], shape["log"]) == (True, "NÄIVE", "seen\n")
    while True:
        record = json.loads((await events.next_msg(timeout=10)).data)
        if record["execution_id"] == shape["execution_id"]:
            break
    assert (record["plugin"], record["success"], record["input_bytes"]) == ("_draft", True, 6)
    assert "_draft" not in (await http.get("/api/plugins/list")).text
    await events.unsubscribe()


async def test_its_traceback_names_its_own_lines(http: httpx.AsyncClient) -> None:
    shape = (await http.post("/api/plugins/try", json={"source": "def f():\n    return 1/0\nf()"})).json()
    assert (shape["success"], shape["error_type"]) == (False, "plugin_error")
    assert 'File "plugin.py", line 2, in f' in shape["error"]


async def test_its_limits_hold(http: httpx.AsyncClient) -> None:
    draft = {"source": "while True: pass", "limits": {"timeout_ms": 300}}
    shape = (await http.post("/api/plugins/try", json=draft)).json()
    assert (shape["success"], shape["error_type"]) == (False, "timeout")


async def test_what_does_not_compile_fails_with_its_line(http: httpx.AsyncClient) -> None:
    shape = (await http.post("/api/plugins/try", json={"source": "x = 1\ny ="})).json()
    assert shape["error_type"] == "plugin_error"
    assert "line 2" in shape["error"]
    checked = (await http.post("/api/plugins/check", json={"source": "x = 1\ny ="})).json()
    assert checked["ok"] is False
    assert checked["problems"][0]["line"] == 2


DEEP = b'{"unknown": ' + b"[" * 100_000


@pytest.mark.parametrize("subject", [subjects.TRY, subjects.CHECK, subjects.plugin_source("some")])
async def test_what_nobody_can_read_is_said_to_be_that(nc: Client, subject: str) -> None:
    reply = await nc.request(subject, DEEP, timeout=10)
    assert (reply.headers or {})["Wasmforge-Error-Type"] == "invalid_input"


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"\xff", b'{"source": 1}', b'{"source": "x", "limits": {"memory_bytes": 99999999999}}']
)
async def test_a_stranger_on_nats_may_send_anything(nc: Client, body: bytes) -> None:
    try:
        reply = await nc.request(subjects.TRY, body, timeout=10)
    except nats.errors.TimeoutError:
        pytest.fail("no answer")
    assert (reply.headers or {})["Wasmforge-Error-Type"] == "invalid_input"
