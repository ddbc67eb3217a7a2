"""What every route takes and answers, for `gateway.openapi`."""

from typing import Any

from gateway.forms import MULTIPART, URLENCODED
from gateway.runs import form_limit
from gateway.uploads import MAX_UPLOAD_BYTES
from schemas import errors, headers
from schemas.limits import MAX_DESCRIPTION_CHARACTERS, MAX_HINT_CHARACTERS, MAX_SOURCE_BYTES, Limits
from schemas.names import NAME_PATTERN

JSON = "application/json"

_BYTES = {"type": "string", "contentMediaType": "application/octet-stream"}

_FUNCTION_ERRORS: dict[int, list[type[errors.WasmForgeError]]] = {}
for _error in (
    errors.InvalidInput, errors.NotFound, errors.TooLarge, errors.PluginError, errors.SandboxViolation,
    errors.OutOfMemory, errors.OutputTooLarge, errors.RuntimeFault, errors.AIFailure, errors.Busy,
    errors.Unavailable, errors.DeadlineExceeded, errors.Cancelled,
):  # fmt: skip
    _FUNCTION_ERRORS.setdefault(_error.http_status, []).append(_error)

_NAME = {
    "name": "name",
    "in": "path",
    "required": True,
    "description": "The plugin.",
    "schema": {"type": "string", "pattern": NAME_PATTERN},
    "example": "summarize",
}


def operations(ceilings: Limits) -> dict[str, Any]:
    """The ``paths`` of the description."""
    return {
        "/fn/{name}": {"post": _function(ceilings)},
        "/api/plugins/run": {"post": _run(ceilings)},
        "/api/plugins/upload": {"post": _upload()},
        "/api/plugins/list": {
            "get": _operation(
                "plugins", "listPlugins", "All plugins, newest first",
                {"200": _json("The plugins.", {"type": "array", "items": _ref("PluginSummary")}), **_away()},
            )
        },
        "/api/plugins/{name}/code": {
            "get": _operation(
                "plugins", "getPluginCode", "A plugin with its current source",
                {"200": _json("The plugin.", _ref("PluginCode")), **_unknown(), **_away()},
                parameters=[_NAME],
            )
        },
        "/api/plugins/{name}": {
            "delete": _operation(
                "plugins", "deletePlugin", "Delete a plugin with all its revisions",
                {"200": _json("It is gone.", _ref("Deleted")), **_unknown(), **_away()},
                parameters=[_NAME],
            )
        },
        "/api/models/list": {
            "get": _operation(
                "models", "listModels", "Models that plugins may call, and whether each is available",
                {"200": _json("The models.", {"type": "array", "items": _ref("ModelInfo")}), **_away()},
            )
        },
        "/health": {
            "get": _operation(
                "platform", "getHealth", "Which parts of the platform are there; always 200, within a second",
                {"200": _json("The state.", _ref("Health"))},
            )
        },
        "/health/ollama": {
            "get": _operation(
                "models", "getModelServerHealth", "Whether the model server is connected; always 200",
                {"200": _json("The state.", _ref("OllamaHealth"))},
            )
        },
    }  # fmt: skip


def _operation(tag: str, name: str, summary: str, responses: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"tags": [tag], "operationId": name, "summary": summary, **more, "responses": responses}


def _function(ceilings: Limits) -> dict[str, Any]:
    problems = {
        str(status): {
            "description": "\n".join(f"- `{kind.error_type}`: {kind.title}." for kind in kinds),
            "headers": _reply_headers() | (_retry_after() if status == 503 else {}),
            "content": {"application/problem+json": {"schema": _ref("Problem")}},
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
        "headers": _reply_headers(),
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
    return _operation(
        "functions", "callFunction", "Run a plugin: any body in, the output out", {"200": ok, **problems},
        parameters=[
            _NAME,
            _header(headers.TIMEOUT_MS, "Milliseconds that the call may take; the plugin's own limit if that is less.",
                    {"type": "integer", "minimum": 1}),
            _header(headers.REVISION, "A revision to run instead of the current one.",
                    {"type": "string", "pattern": "^[0-9a-f]{64}$"}),
            _header(headers.CALLER, "Who calls, for the log.",
                    {"type": "string", "pattern": "^[A-Za-z0-9._:@/-]{1,128}$"}),
            _header(headers.TRACEPARENT, "W3C trace context, passed on.", {"type": "string"}),
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
    return _operation(
        "functions", "runPlugin", "Run a plugin as the original's clients do: the outcome is in the body",
        {
            "200": _json("The plugin ran, well (`success`) or not.", _ref("RunResult")),
            "400": _detail("The form can't be read."),
            **_unknown(),
            "413": _json("The input is too large.", {"anyOf": [_ref("RunRefused"), _ref("Detail")]}),
            "422": _detail("`plugin_name` is missing."),
            "503": _json("Busy, or a part of the platform is away.", {"anyOf": [_ref("RunRefused"), _ref("Detail")]})
            | {"headers": _retry_after()},
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
                "description": f"The source, UTF-8, at most {MAX_SOURCE_BYTES:,} bytes; its file name ends in .py.",
            },
            "name": {"type": "string", "pattern": NAME_PATTERN, "description": "Instead of the file's name."},
            "description": {"type": "string", "maxLength": MAX_DESCRIPTION_CHARACTERS, "default": ""},
            "input_type": {"type": "string", "enum": ["text", "file", "json"], "default": "text"},
            "input_hint": {"type": "string", "maxLength": MAX_HINT_CHARACTERS, "default": ""},
            "limits": {
                "type": "string",
                "contentMediaType": JSON,
                "contentSchema": _ref("Limits"),
                "description": "Limits of its own, as a JSON object that names some.",
                "examples": ['{"timeout_ms": 30000}'],
            },
        },
    }
    return _operation(
        "plugins", "uploadPlugin", "Deploy a plugin; under a known name this makes a new revision",
        {
            "200": _json("It is deployed.", _ref("Uploaded")),
            "400": _detail("What to change: in the form, or in the source, with line and column."),
            "422": _detail("`file` is missing."),
            **_away(),
        },
        requestBody={
            "required": True,
            "description": f"At most {MAX_UPLOAD_BYTES:,} bytes.",
            "content": {MULTIPART: {"schema": form, "encoding": {"file": {"contentType": "text/x-python"}}}},
        },
    )  # fmt: skip


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": description, "content": {JSON: {"schema": schema}}}


def _detail(description: str) -> dict[str, Any]:
    return _json(description, _ref("Detail"))


def _unknown() -> dict[str, Any]:
    return {"404": _detail("There is no such plugin.")}


def _away() -> dict[str, Any]:
    return {"503": _detail("A part of the platform is away; the detail says which.") | {"headers": _retry_after()}}


def _header(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "header", "description": description, "schema": schema}


def _retry_after() -> dict[str, Any]:
    return {"Retry-After": {"description": "Seconds until trying again makes sense.", "schema": {"type": "integer"}}}


def _reply_headers() -> dict[str, Any]:
    def text(description: str) -> dict[str, Any]:
        return {"description": description, "schema": {"type": "string"}}

    return {
        headers.EXECUTION_ID: text("Names this call in logs and events."),
        headers.REVISION: text("The revision that ran."),
        "Server-Timing": text("Phases of the call in milliseconds: " + ", ".join(headers.PHASES) + ", and total."),
        "X-Request-Id": text("The request's own, or one that was made for it."),
    }
