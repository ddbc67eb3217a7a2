"""What every route takes and answers, for `gateway.openapi`."""

from typing import Any

from gateway.forms import MULTIPART, URLENCODED
from gateway.openapi_parts import (
    JSON,
    NAME,
    away,
    detail,
    header,
    json_reply,
    operation,
    ref,
    reply_headers,
    retry_after,
    unknown,
)
from gateway.runs import form_limit
from gateway.uploads import MAX_UPLOAD_BYTES
from schemas import errors, headers
from schemas.limits import MAX_DESCRIPTION_CHARACTERS, MAX_HINT_CHARACTERS, MAX_SOURCE_BYTES, Limits
from schemas.names import NAME_PATTERN

_BYTES = {"type": "string", "contentMediaType": "application/octet-stream"}

_FUNCTION_ERRORS: dict[int, list[type[errors.WasmForgeError]]] = {}
for _error in (
    errors.InvalidInput, errors.NotFound, errors.TooLarge, errors.PluginError, errors.SandboxViolation,
    errors.OutOfMemory, errors.OutputTooLarge, errors.RuntimeFault, errors.AIFailure, errors.Busy,
    errors.Unavailable, errors.DeadlineExceeded, errors.Cancelled,
):  # fmt: skip
    _FUNCTION_ERRORS.setdefault(_error.http_status, []).append(_error)


def operations(ceilings: Limits) -> dict[str, Any]:
    """The ``paths`` of the description."""
    return {
        "/fn/{name}": {"post": _function(ceilings)},
        "/api/plugins/run": {"post": _run(ceilings)},
        "/api/plugins/upload": {"post": _upload()},
        "/api/plugins/list": {
            "get": operation(
                "plugins", "listPlugins", "All plugins, newest first",
                {"200": json_reply("The plugins.", {"type": "array", "items": ref("PluginSummary")}), **away()},
            )
        },
        "/api/plugins/{name}/code": {
            "get": operation(
                "plugins", "getPluginCode", "A plugin with its current source",
                {"200": json_reply("The plugin.", ref("PluginCode")), **unknown(), **away()},
                parameters=[NAME],
            )
        },
        "/api/plugins/{name}": {
            "delete": operation(
                "plugins", "deletePlugin", "Delete a plugin with all its revisions",
                {"200": json_reply("It is gone.", ref("Deleted")), **unknown(), **away()},
                parameters=[NAME],
            )
        },
        "/api/models/list": {
            "get": operation(
                "models", "listModels", "Models that plugins may call, and whether each is available",
                {"200": json_reply("The models.", {"type": "array", "items": ref("ModelInfo")}), **away()},
            )
        },
        "/health": {
            "get": operation(
                "platform", "getHealth", "Which parts of the platform are there; always 200, within a second",
                {"200": json_reply("The state.", ref("Health"))},
            )
        },
        "/health/ollama": {
            "get": operation(
                "models", "getModelServerHealth", "Whether the model server is connected; always 200",
                {"200": json_reply("The state.", ref("OllamaHealth"))},
            )
        },
    }  # fmt: skip


def _function(ceilings: Limits) -> dict[str, Any]:
    problems = {
        str(status): {
            "description": "\n".join(f"- `{kind.error_type}`: {kind.title}." for kind in kinds),
            "headers": reply_headers() | (retry_after() if status == 503 else {}),
            "content": {"application/problem+json": {"schema": ref("Problem")}},
        }
        for status, kinds in sorted(_FUNCTION_ERRORS.items())
    }
    ok = {
        "description": (
            "The output, byte for byte: text if it is UTF-8. With `Accept: text/event-stream` a stream of events: "
            "`output` and `log` (data: a JSON string) as they come, at last `done` (data: StreamDone). A plugin that "
            "fails then does so in `done`; only calls that did not start get a status of their own. With "
            '`Accept: text/event-stream; output=bytes` output that is not UTF-8 comes as `{"base64": …}`.'
        ),
        "headers": reply_headers(),
        "content": {
            "text/plain": {"schema": {"type": "string"}},
            "application/octet-stream": {"schema": _BYTES},
            "text/event-stream": {
                "schema": {
                    "type": "string",
                    "description": "The last event's data is `#/components/schemas/StreamDone`.",
                },
                "example": 'event: output\ndata: "Hello"\n\nevent: done\n'
                'data: {"success":true,"error":null,"error_type":null,"execution_id":"…","phases":{"run":412}}\n\n',
            },
        },
    }
    return operation(
        "functions", "callFunction", "Run a plugin: any body in, the output out", {"200": ok, **problems},
        parameters=[
            NAME,
            header(headers.TIMEOUT_MS, "Milliseconds that the call may take; the plugin's own limit if that is less.",
                    {"type": "integer", "minimum": 1}),
            header(headers.REVISION, "A revision to run instead of the current one.",
                    {"type": "string", "pattern": "^[0-9a-f]{64}$"}),
            header(headers.CALLER, "Who calls, for the log.",
                    {"type": "string", "pattern": "^[A-Za-z0-9._:@/-]{1,128}$"}),
            header(headers.TRACEPARENT, "W3C trace context, passed on.", {"type": "string"}),
            header(headers.RECORD, "`1` keeps a tape of the call, see `/api/executions/{id}/tape`.",
                    {"type": "string", "enum": ["1"]}),
        ],
        requestBody={
            "description": f"The plugin's input, at most {ceilings.input_bytes:,} bytes or the plugin's own limit.",
            "required": False,
            "content": {
                "text/plain": {"schema": {"type": "string"}, "example": "a text"},
                "application/json": {"schema": {}},
                "application/octet-stream": {"schema": _BYTES},
            },
        },
    )  # fmt: skip


def _run(ceilings: Limits) -> dict[str, Any]:
    form = {
        "type": "object",
        "required": ["plugin_name"],
        "properties": {
            "plugin_name": {"type": "string"},
            "input_data": {"type": "string", "default": ""},
        },
    }
    return operation(
        "functions", "runPlugin", "Run a plugin as the original's clients do: the outcome is in the body",
        {
            "200": json_reply("The plugin ran, well (`success`) or not.", ref("RunResult")),
            "400": detail("The form can't be read."),
            **unknown(),
            "413": json_reply("The input is too large.", {"anyOf": [ref("RunRefused"), ref("Detail")]}),
            "422": detail("`plugin_name` is missing."),
            "503": json_reply("Busy, or a part of the platform is away.", {"anyOf": [ref("RunRefused"), ref("Detail")]})
            | {"headers": retry_after()},
        },
        requestBody={
            "required": True,
            "description": f"At most {form_limit(ceilings):,} bytes.",
            "content": {URLENCODED: {"schema": form}, MULTIPART: {"schema": form}},
        },
    )  # fmt: skip


def _upload() -> dict[str, Any]:
    form = {
        "type": "object",
        "required": ["file"],
        "properties": {
            "file": {
                "type": "string",
                "contentMediaType": "text/x-python",
                "description": f"The source, UTF-8, its file name ends in .py; or a zip, its file name ends in .zip, "
                f"with plugin.py or __main__.py in it. At most {MAX_SOURCE_BYTES:,} bytes.",
            },
            "name": {"type": "string", "pattern": NAME_PATTERN, "description": "Instead of the file's name."},
            "description": {"type": "string", "maxLength": MAX_DESCRIPTION_CHARACTERS, "default": ""},
            "input_type": {"type": "string", "enum": ["text", "file", "json"], "default": "text"},
            "input_hint": {"type": "string", "maxLength": MAX_HINT_CHARACTERS, "default": ""},
            "limits": {
                "type": "string",
                "contentMediaType": JSON,
                "contentSchema": ref("Limits"),
                "description": "Limits of its own, as a JSON object that names some.",
                "examples": ['{"timeout_ms": 30000}'],
            },
            "expected_revision": {
                "type": "string",
                "description": "The revision that must be current, empty if there must be no such plugin; else 409.",
            },
        },
    }
    return operation(
        "plugins", "uploadPlugin", "Deploy a plugin; under a known name this makes a new revision",
        {
            "200": json_reply("It is deployed.", ref("Uploaded")),
            "400": detail("What to change: in the form, or in the source, with line and column."),
            "409": detail("Another revision is current than `expected_revision`."),
            "422": detail("`file` is missing."),
            **away(),
        },
        requestBody={
            "required": True,
            "description": f"At most {MAX_UPLOAD_BYTES:,} bytes.",
            "content": {MULTIPART: {"schema": form, "encoding": {"file": {"contentType": "text/x-python"}}}},
        },
    )  # fmt: skip
