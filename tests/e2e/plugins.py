"""Plugins that the tests call, and the two things every test does with one: deploy it, call it."""

import json
from typing import Any

import httpx

UPPER = "from platform_sdk import get_input, send_output\nsend_output(get_input().upper())\n"
"""Its input in capitals: what a test calls to see that the platform is well."""

ECHO = "from platform_sdk import get_input_bytes, send_output\nsend_output(get_input_bytes())\n"
"""Its input byte for byte."""

SLEEP = """import time
from platform_sdk import get_input, send_output
time.sleep(float(get_input()))
send_output("slept")
"""
"""Takes as many seconds as its input says."""

ASK = """from platform_sdk import call_ai, get_input, send_output
send_output(call_ai("qwen2.5:1.5b", get_input(), options={"num_predict": 16, "temperature": 0}))
"""
"""What a model answers to its input, in a few words."""


def http_client(url: str) -> httpx.AsyncClient:
    """A client without any cleverness: no retries, no proxies, no certificates."""
    return httpx.AsyncClient(base_url=url, timeout=60, trust_env=False, verify=False)


async def deploy(http: httpx.AsyncClient, name: str, source: str, **limits: int) -> dict[str, Any]:
    """Deploy a plugin; what the gateway says of it."""
    reply = await http.post(
        "/api/plugins/upload",
        files={"file": (f"{name}.py", source.encode(), "text/x-python")},
        data={"limits": json.dumps(limits)} if limits else {},
    )
    assert reply.status_code == 200, reply.text
    shape: dict[str, Any] = reply.json()
    return shape


async def call(http: httpx.AsyncClient, name: str, data: str | bytes = b"", **headers: str) -> httpx.Response:
    """Call a plugin on its URL; ``timeout_ms="5"`` becomes the header ``Wasmforge-Timeout-Ms``."""
    made = {"Wasmforge-" + key.replace("_", "-").title(): value for key, value in headers.items()}
    return await http.post(f"/fn/{name}", content=data, headers=made)


def assert_problem(reply: httpx.Response, status: int, error_type: str, *texts: str) -> dict[str, Any]:
    """Check that an answer of ``/fn`` is this error, as RFC 9457 has it; its members."""
    assert (reply.status_code, reply.headers.get("wasmforge-error-type")) == (status, error_type), reply.text
    assert reply.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = reply.json()
    assert (problem["status"], problem["error_type"]) == (status, error_type)
    assert problem["type"] == f"urn:wasmforge:error:{error_type}"
    assert problem["title"]
    assert problem["detail"]
    assert problem["execution_id"] == reply.headers["wasmforge-execution-id"]
    for text in texts:
        assert text in problem["error"]
    return problem
