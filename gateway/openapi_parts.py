"""What descriptions of operations are made of."""

from typing import Any

from schemas import headers
from schemas.names import NAME_PATTERN

JSON = "application/json"
NAME = {
    "name": "name",
    "in": "path",
    "required": True,
    "description": "The plugin.",
    "schema": {"type": "string", "pattern": NAME_PATTERN},
    "example": "summarize",
}
"""The path parameter ``name``."""


def path_parameter(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    """A part of a path."""
    return {"name": name, "in": "path", "required": True, "description": description, "schema": schema}


def operation(tag: str, name: str, summary: str, responses: dict[str, Any], **more: Any) -> dict[str, Any]:
    """One operation of a path."""
    return {"tags": [tag], "operationId": name, "summary": summary, **more, "responses": responses}


def ref(name: str) -> dict[str, Any]:
    """A shape by its name."""
    return {"$ref": f"#/components/schemas/{name}"}


def json_reply(description: str, schema: dict[str, Any]) -> dict[str, Any]:
    """A reply in JSON."""
    return {"description": description, "content": {JSON: {"schema": schema}}}


def detail(description: str) -> dict[str, Any]:
    """An error as the original reports it."""
    return json_reply(description, ref("Detail"))


def unknown() -> dict[str, Any]:
    """The reply for a plugin that is not there."""
    return {"404": detail("There is no such plugin.")}


def away() -> dict[str, Any]:
    """The reply while a part of the platform is away."""
    return {"503": detail("A part of the platform is away; the detail says which.") | {"headers": retry_after()}}


def header(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    """A header of a request."""
    return {"name": name, "in": "header", "description": description, "schema": schema}


def retry_after() -> dict[str, Any]:
    """The header of replies that ask to come again."""
    return {"Retry-After": {"description": "Seconds until trying again makes sense.", "schema": {"type": "integer"}}}


def reply_headers() -> dict[str, Any]:
    """Headers of the reply of a call."""

    def text(description: str) -> dict[str, Any]:
        return {"description": description, "schema": {"type": "string"}}

    return {
        headers.EXECUTION_ID: text("Names this call in logs and events."),
        headers.REVISION: text("The revision that ran."),
        headers.TAPE: text("Of a call that asked to be recorded: `kept`, or `lost:` and why."),
        "Server-Timing": text("Phases of the call in milliseconds: " + ", ".join(headers.PHASES) + ", and total."),
        "X-Request-Id": text("The request's own, or one that was made for it."),
    }
