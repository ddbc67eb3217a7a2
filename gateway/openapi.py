"""``/openapi.json``: OpenAPI 3.1, its shapes generated from `schemas`, so that it can't say what is not so."""

from typing import Any

import msgspec

from gateway.openapi_builder import builder_operations
from gateway.openapi_operations import operations
from gateway.openapi_tapes import tape_operations
from gateway.runs import RunRefused
from schemas import __version__
from schemas.ai import ChatReply, ModelInfo
from schemas.errors import AIErrorCode, ErrorType
from schemas.http import (
    AnswerDone,
    AskModel,
    Checked,
    CheckedSource,
    Deleted,
    Detail,
    Health,
    ModelPage,
    OllamaHealth,
    Platform,
    PluginCode,
    PluginSummary,
    Problem,
    RevisionCode,
    RevisionSummary,
    RollBack,
    RolledBack,
    RunResult,
    StreamDone,
    TryRequest,
    TryResult,
    Uploaded,
    Usage,
)
from schemas.limits import Limits
from schemas.tapes import Tape

_SHAPES = (
    AnswerDone, AskModel, ChatReply, Checked, CheckedSource, Deleted, Detail, Health, Limits, ModelInfo, ModelPage,
    OllamaHealth, Platform, PluginCode, PluginSummary, Problem, RevisionCode, RevisionSummary, RollBack, RolledBack,
    RunRefused, RunResult, StreamDone, Tape, TryRequest, TryResult, Uploaded, Usage,
)  # fmt: skip

_ABOUT = """\
Small Python functions ("plugins") that may call AI models; each call runs in a WebAssembly sandbox of its own.

`POST /fn/{name}` is the function as a URL: any body in, the output out, status codes that tell the truth.
`/health` and `/api/…` are the original's routes with their shapes unchanged; new keys come last.
"""


def openapi_document(ceilings: Limits) -> bytes:
    """The whole description as JSON."""
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "WasmForge",
            "version": __version__,
            "description": _ABOUT,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "tags": [
            {"name": "functions", "description": "Run plugins."},
            {"name": "plugins", "description": "Deploy, list, read and delete plugins."},
            {"name": "models", "description": "Models that plugins may call."},
            {"name": "platform", "description": "The state of the platform."},
        ],
        "paths": operations(ceilings) | builder_operations() | tape_operations(),
        "components": {"schemas": _schemas(ceilings)},
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=1)


def _schemas(ceilings: Limits) -> dict[str, Any]:
    _, found = msgspec.json.schema_components(_SHAPES, ref_template="#/components/schemas/{name}")
    schemas: dict[str, Any] = dict(found)
    for name, limit in schemas["Limits"]["properties"].items():
        # No `maximum`: revisions of a time with higher ceilings have higher limits.
        limit["x-ceiling"] = getattr(ceilings, name)
    for name in ("AnswerDone", "Problem", "RunResult", "RunRefused", "StreamDone", "TryResult"):
        properties = schemas[name]["properties"]
        properties["error_type"] = _one_of(properties["error_type"], [str(kind) for kind in ErrorType])
        if "code" in properties:
            properties["code"] = _one_of(properties["code"], [str(code) for code in AIErrorCode])
    return schemas


def _one_of(property_schema: dict[str, Any], values: list[str]) -> dict[str, Any]:
    """The same property, which can only be one of ``values`` (or null, where it may be)."""
    if "anyOf" not in property_schema:
        return property_schema | {"enum": values}
    options = [
        option | ({"enum": values} if option.get("type") == "string" else {}) for option in property_schema["anyOf"]
    ]
    return property_schema | {"anyOf": options}
