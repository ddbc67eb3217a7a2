"""Upload a plugin, call it: by HTTP, by NATS, by the command line, with a real model behind it."""

import asyncio
import json
import os
import re
import sys
from pathlib import Path

import httpx
from nats.aio.client import Client

from sdk.client import WasmForge
from tests.e2e.plugins import ASK, UPPER, call, deploy
from tests.support.platform import Platform


async def cli(stack: Platform, *arguments: str, stdin: bytes = b"") -> tuple[int, bytes, bytes]:
    """Run the command line as a process: exit status, standard output, standard error."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sdk.cli", *arguments),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        env=os.environ | {"WASMFORGE_HTTP": stack.http_url},
    )  # fmt: skip
    out, err = await process.communicate(stdin)
    assert process.returncode is not None
    return process.returncode, out, err


async def test_http(http: httpx.AsyncClient) -> None:
    uploaded = await deploy(http, "main-http", UPPER)
    reply = await call(http, "main-http", "näive\ncafé")
    assert (reply.status_code, reply.text) == (200, "NÄIVE\nCAFÉ")
    assert reply.headers["content-type"] == "text/plain; charset=utf-8"
    assert reply.headers["wasmforge-revision"] == uploaded["revision"]
    assert re.fullmatch(r"[0-9a-f]{32}", reply.headers["wasmforge-execution-id"])
    phases = dict(part.split(";dur=") for part in reply.headers["server-timing"].split(", "))
    assert list(phases) == ["queue", "prepare", "restore", "run", "ai_wait", "reply", "total"]
    assert 0 < float(phases["run"]) < float(phases["total"])


async def test_form(http: httpx.AsyncClient) -> None:
    await deploy(http, "main-form", UPPER)
    for form in ({"data": {"plugin_name": "main-form", "input_data": "a\nb"}}, _multipart("main-form", "a\nb")):
        reply = await http.post("/api/plugins/run", **form)
        assert reply.status_code == 200
        shape = reply.json()
        assert (shape["success"], shape["output"], shape["error"], shape["error_type"]) == (True, "A\nB", None, None)


def _multipart(name: str, data: str) -> dict[str, dict[str, tuple[None, str]]]:
    return {"files": {"plugin_name": (None, name), "input_data": (None, data)}}


async def test_nats(http: httpx.AsyncClient, nc: Client) -> None:
    uploaded = await deploy(http, "main-nats", UPPER)
    reply = await nc.request("wasmforge.fn.main-nats", b"text", timeout=10)
    assert reply.data == b"TEXT"
    assert reply.headers is not None
    assert reply.headers["Wasmforge-Revision"] == uploaded["revision"]
    assert reply.headers["Wasmforge-Final"] == "1"
    assert int(reply.headers["Wasmforge-Phase-Run-Us"]) > 0
    named = await nc.request(
        "wasmforge.fn.main-nats", b"text", timeout=10, headers={"Wasmforge-Execution-Id": "an-id_of-mine"}
    )
    assert named.headers is not None
    assert named.headers["Wasmforge-Execution-Id"] == "an-id_of-mine"


async def test_command_line(stack: Platform, tmp_path: Path) -> None:
    (tmp_path / "main-cli.py").write_text(UPPER)
    status, _, err = await cli(stack, "deploy", str(tmp_path / "main-cli.py"))
    assert status == 0, err
    assert await cli(stack, "run", "main-cli", stdin=b"as a filter\n") == (0, b"AS A FILTER\n", b"")
    status, out, err = await cli(stack, "list", "--json")
    assert (status, err) == (0, b"")
    assert "main-cli" in [plugin["name"] for plugin in json.loads(out)]
    status, out, err = await cli(stack, "run", "no-such-plugin")
    assert (status != 0, out) == (True, b"")
    assert b"no-such-plugin" in err
    assert b"Traceback" not in err
    assert (await cli(stack, "delete", "--yes", "main-cli"))[0] == 0
    assert (await cli(stack, "run", "main-cli"))[0] != 0


async def test_python_client(stack: Platform) -> None:
    async with WasmForge(stack.http_url) as client:
        await client.deploy("main-client", UPPER.encode())
        assert await client.run("main-client", "text") == "TEXT"


async def test_a_real_model_answers_everywhere(stack: Platform, http: httpx.AsyncClient, nc: Client) -> None:
    await deploy(http, "main-ask", ASK)
    prompt = "Say hello to my friend."
    by_http = await call(http, "main-ask", prompt)
    assert by_http.status_code == 200, by_http.text
    assert len(by_http.text.split()) > 1
    assert by_http.text != prompt
    assert by_http.headers["wasmforge-ai-calls"] == "1"
    phases = dict(part.split(";dur=") for part in by_http.headers["server-timing"].split(", "))
    assert 0 < float(phases["ai_wait"]) <= float(phases["run"])

    by_nats = await nc.request("wasmforge.fn.main-ask", prompt.encode(), timeout=60)
    assert by_nats.headers is not None
    assert "Nats-Service-Error" not in by_nats.headers
    assert by_nats.data

    status, out, err = await cli(stack, "run", "main-ask", stdin=prompt.encode())
    assert (status, err) == (0, b"")
    assert out

    by_form = (await http.post("/api/plugins/run", data={"plugin_name": "main-ask", "input_data": prompt})).json()
    assert by_form["success"] is True
    assert by_form["output"]
