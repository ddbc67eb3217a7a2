"""A client as the original's front end has it: its eight routes, with its own shapes and nothing that is new.

Every answer is compared with the table in the documentation: keys of the original must be there with their values; more
keys may be.
"""

import asyncio
import uuid
from typing import Any

import httpx

from tests.support.platform import Platform

MODELS = ("mistral:latest", "qwen2.5:1.5b", "gemma2:2b", "llama3.2:latest")

SOURCE = """from platform_sdk import call_ai, get_input, send_output

text = get_input()
result = call_ai("qwen2.5:1.5b", "Summarize: " + text, options={"num_predict": 16, "temperature": 0})
if not result:
    result = call_ai("gemma2:2b", "Translate: " + text)
send_output(result)
"""


async def upload(http: httpx.AsyncClient, name: str, source: str = SOURCE, **fields: str) -> httpx.Response:
    return await http.post("/api/plugins/upload", files={"file": (name, source.encode(), "text/x-python")}, data=fields)


def part(shape: dict[str, Any], *keys: str) -> dict[str, Any]:
    """Those keys of an answer, all of which must be there."""
    return {key: shape[key] for key in keys}


async def test_health(http: httpx.AsyncClient) -> None:
    reply = await http.get("/health")
    assert reply.status_code == 200
    assert part(reply.json(), "status", "wasmedge") == {"status": "ok", "wasmedge": True}


async def test_health_of_ollama(stack: Platform, http: httpx.AsyncClient) -> None:
    shape = (await http.get("/health/ollama")).json()
    assert set(shape) == {"status", "url", "models"}
    assert shape["status"] == "connected"
    assert shape["url"].startswith("http://")
    assert all(isinstance(name, str) for name in shape["models"])
    assert shape["models"]


async def test_models(http: httpx.AsyncClient) -> None:
    listed = (await http.get("/api/models/list")).json()
    assert {model["name"] for model in listed} >= set(MODELS)
    for model in listed:
        shape = part(model, "name", "type", "description", "available")
        assert shape["type"]
        assert shape["description"]
        assert shape["available"] is True


async def test_a_plugin_from_upload_to_delete(http: httpx.AsyncClient) -> None:
    name = f"orig_{uuid.uuid4().hex[:8]}"
    fields = {"description": "Summarizes — well", "input_type": "file", "input_hint": "Any text"}
    reply = await upload(http, f"{name}.py", **fields)
    assert reply.status_code == 200
    assert part(reply.json(), "status", "name", "code", *fields) == {
        "status": "uploaded",
        "name": name,
        "code": SOURCE,
        **fields,
    }

    listed = (await http.get("/api/plugins/list")).json()
    assert part(listed[0], "name", "description", "input_type", "input_hint", "calls") == {
        "name": name,
        "calls": 2,
        **fields,
    }

    reply = await http.get(f"/api/plugins/{name}/code")
    assert reply.status_code == 200
    assert part(reply.json(), "name", "code", *fields) == {"name": name, "code": SOURCE, **fields}

    reply = await http.post("/api/plugins/run", data={"plugin_name": name, "input_data": "A short text."})
    assert reply.status_code == 200
    shape = part(reply.json(), "success", "output", "error", "error_type")
    assert shape["output"]
    assert shape == {"success": True, "output": shape["output"], "error": None, "error_type": None}

    reply = await http.delete(f"/api/plugins/{name}")
    assert (reply.status_code, reply.json()) == (200, {"status": "deleted", "name": name})
    assert name not in [plugin["name"] for plugin in (await http.get("/api/plugins/list")).json()]


async def test_list_is_newest_first_and_counts_at_least_one_call(http: httpx.AsyncClient) -> None:
    names = [f"orig_{number}_{uuid.uuid4().hex[:8]}" for number in range(3)]
    for name in names:
        assert (await upload(http, f"{name}.py", "print('no model')\n")).status_code == 200
    listed = (await http.get("/api/plugins/list")).json()
    assert [plugin["name"] for plugin in listed[:3]] == names[::-1]
    assert part(listed[0], "description", "input_type", "input_hint", "calls") == {
        "description": "",
        "input_type": "text",
        "input_hint": "",
        "calls": 1,
    }


async def test_a_plugin_that_fails(http: httpx.AsyncClient) -> None:
    name = f"orig_{uuid.uuid4().hex[:8]}"
    await upload(http, f"{name}.py", "print('before')\nraise ValueError('no')\n")
    reply = await http.post("/api/plugins/run", data={"plugin_name": name, "input_data": ""})
    assert reply.status_code == 200
    shape = part(reply.json(), "success", "output", "error", "error_type")
    error = shape.pop("error")
    assert shape == {"success": False, "output": "", "error_type": "plugin_error"}
    assert "line 2" in error
    assert "ValueError: no" in error


async def test_errors_have_a_detail(http: httpx.AsyncClient) -> None:
    replies = {
        404: [
            await http.post("/api/plugins/run", data={"plugin_name": "nobody", "input_data": "x"}),
            await http.get("/api/plugins/nobody/code"),
            await http.delete("/api/plugins/nobody"),
        ],
        400: [await upload(http, "plugin.txt"), await upload(http, "large.py", "#" * 1_000_001)],
    }
    for status, some in replies.items():
        for reply in some:
            assert reply.status_code == status, reply.text
            assert set(reply.json()) == {"detail"}
            assert isinstance(reply.json()["detail"], str)
    assert (await upload(http, "orig_largest.py", "#" * 1_000_000)).status_code == 200


async def test_any_page_may_call(http: httpx.AsyncClient) -> None:
    origin = {"Origin": "http://localhost:5173"}
    assert (await http.get("/health", headers=origin)).headers["access-control-allow-origin"] == "*"
    asked = origin | {"Access-Control-Request-Method": "DELETE"}
    reply = await http.request("OPTIONS", "/api/plugins/some", headers=asked)
    assert reply.status_code == 200
    assert "DELETE" in reply.headers["access-control-allow-methods"]


async def test_its_usual_day(http: httpx.AsyncClient) -> None:
    """What the original's pages ask for when they open, all at once."""
    replies = await asyncio.gather(
        *(http.get(path) for path in ("/health", "/health/ollama", "/api/models/list", "/api/plugins/list") * 3)
    )
    assert [reply.status_code for reply in replies] == [200] * 12
