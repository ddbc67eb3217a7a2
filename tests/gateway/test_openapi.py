"""``/openapi.json`` is valid, complete, and says what the gateway does."""

import json
from typing import Any

import httpx
import jsonschema  # type: ignore[import-untyped]
import msgspec
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from gateway.openapi import openapi_document
from schemas.errors import ErrorType, WasmForgeError
from schemas.limits import CEILINGS
from tests.gateway.conftest import Running
from tests.gateway.scripted import Call, Executor
from tests.gateway.test_functions import ERRORS

DOCUMENT: dict[str, Any] = json.loads(openapi_document(CEILINGS))


def check(reply: httpx.Response, method: str, path: str) -> None:
    """The reply is one that the document describes for this route."""
    operation = DOCUMENT["paths"][path][method]
    described = operation["responses"][str(reply.status_code)]
    content_type = reply.headers["content-type"].split(";")[0]
    content = described["content"][content_type]
    if content_type.endswith("json"):
        schema = {"$ref": "#/$defs/it", "$defs": {"it": content["schema"]}} | {"components": DOCUMENT["components"]}
        jsonschema.Draft202012Validator(schema).validate(reply.json())


def test_it_is_valid_openapi_3_1() -> None:
    assert DOCUMENT["openapi"].startswith("3.1.")
    OpenAPIV31SpecValidator(DOCUMENT).validate()


async def test_every_route_is_described(calls: Running) -> None:
    reply = await calls.http.get("/openapi.json")
    assert reply.headers["content-type"] == "application/json"
    assert reply.json() == DOCUMENT
    described = {(method, path) for path, methods in DOCUMENT["paths"].items() for method in methods}
    assert described == {
        ("post", "/fn/{name}"),
        ("get", "/api/executions/{id}/tape"),
        ("get", "/health"),
        ("get", "/health/ollama"),
        ("get", "/api/models/list"),
        ("get", "/api/plugins/list"),
        ("get", "/api/plugins/{name}/code"),
        ("post", "/api/plugins/upload"),
        ("delete", "/api/plugins/{name}"),
        ("post", "/api/plugins/run"),
        ("post", "/api/plugins/try"),
        ("post", "/api/plugins/check"),
        ("get", "/api/plugins/{name}/revisions"),
        ("get", "/api/plugins/{name}/revisions/{revision}"),
        ("post", "/api/plugins/{name}/rollback"),
        ("get", "/api/platform"),
        ("get", "/api/models"),
        ("post", "/api/models/chat"),
        ("get", "/api/ai/usage"),
    }


def test_every_error_type_is_described() -> None:
    described = json.dumps(DOCUMENT["paths"]["/fn/{name}"]["post"]["responses"])
    for kind in ErrorType:
        assert f"`{kind}`" in described


def test_operation_ids_are_unique() -> None:
    names = [operation["operationId"] for methods in DOCUMENT["paths"].values() for operation in methods.values()]
    assert len(names) == len(set(names))


async def test_replies_are_as_described(gateway: Running, executor: Executor) -> None:
    http = gateway.http
    files = {"file": ("plugin.py", b"print(1)")}
    check(await http.post("/api/plugins/upload", files=files), "post", "/api/plugins/upload")
    check(await http.post("/api/plugins/upload", files={"file": ("a", b"")}), "post", "/api/plugins/upload")
    check(await http.post("/api/plugins/upload", files={"x": ("a", b"")}), "post", "/api/plugins/upload")
    check(await http.get("/api/plugins/list"), "get", "/api/plugins/list")
    check(await http.get("/api/plugins/plugin/code"), "get", "/api/plugins/{name}/code")
    check(await http.get("/api/plugins/unknown/code"), "get", "/api/plugins/{name}/code")
    check(await http.post("/api/plugins/run", data={"plugin_name": "plugin"}), "post", "/api/plugins/run")
    check(await http.post("/api/plugins/run", data={"plugin_name": "a b"}), "post", "/api/plugins/run")
    check(await http.post("/api/plugins/run", data={}), "post", "/api/plugins/run")
    check(await http.post("/api/plugins/run", content=b"x"), "post", "/api/plugins/run")
    check(await http.delete("/api/plugins/plugin"), "delete", "/api/plugins/{name}")
    check(await http.delete("/api/plugins/plugin"), "delete", "/api/plugins/{name}")
    check(await http.get("/health"), "get", "/health")
    check(await http.get("/health/ollama"), "get", "/health/ollama")
    check(await http.get("/api/models/list"), "get", "/api/models/list")
    for body in (b"text", b"\xff"):
        check(await http.post("/fn/f", content=body), "post", "/fn/{name}")
    check(await http.post("/fn/f", content=b"", headers={"Accept": "text/event-stream"}), "post", "/fn/{name}")


@pytest.mark.parametrize("error", [error for error, _ in ERRORS], ids=[str(error.error_type) for error, _ in ERRORS])
async def test_errors_are_as_described(calls: Running, executor: Executor, error: WasmForgeError) -> None:
    async def fail(call: Call) -> None:
        await call.error(error)

    executor.script = fail
    check(await calls.http.post("/fn/f", content=b""), "post", "/fn/{name}")
    run = await calls.http.post("/api/plugins/run", data={"plugin_name": "f"})
    check(run, "post", "/api/plugins/run")


def test_the_check_itself_finds_what_is_wrong() -> None:
    wrong = httpx.Response(200, json={"status": 1}, headers={"content-type": "application/json"})
    with pytest.raises(jsonschema.ValidationError):
        check(wrong, "get", "/health")
    with pytest.raises(KeyError):
        check(httpx.Response(418, json={}), "get", "/health")


def test_limits_say_what_this_installation_allows() -> None:
    ceilings = msgspec.structs.replace(CEILINGS, ai_calls=7)
    limits = json.loads(openapi_document(ceilings))["components"]["schemas"]["Limits"]["properties"]
    assert limits["ai_calls"] == {"type": "integer", "default": 10, "x-ceiling": 7}
