"""The operations that a builder of plugins uses beside the original's; `gateway.openapi` puts the document together."""

from typing import Any

from gateway.openapi_parts import (
    JSON,
    NAME,
    away,
    detail,
    json_reply,
    operation,
    path_parameter,
    ref,
    unknown,
)
from schemas.limits import MAX_SOURCE_BYTES

_REVISION = path_parameter("revision", "The revision's digest.", {"type": "string", "pattern": "^[0-9a-f]{64}$"})


def builder_operations() -> dict[str, Any]:
    """Their part of ``paths``."""
    return {
        "/api/plugins/try": {"post": _try()},
        "/api/plugins/check": {
            "post": operation(
                "plugins", "checkSource", "What is wrong with a source: syntax, and imports that can't work",
                {
                    "200": json_reply("What was found.", ref("Checked")),
                    "400": detail("The request can't be read."),
                    "413": detail(f"The source has over {MAX_SOURCE_BYTES:,} bytes."),
                    **away(),
                },
                requestBody=_body("CheckedSource"),
            )
        },
        "/api/plugins/{name}/revisions": {
            "get": operation(
                "plugins", "listRevisions", "A plugin's revisions, newest first",
                {
                    "200": json_reply("The newest 200.", {"type": "array", "items": ref("RevisionSummary")}),
                    **unknown(),
                    **away(),
                },
                parameters=[NAME],
            )
        },
        "/api/plugins/{name}/revisions/{revision}": {
            "get": operation(
                "plugins", "getRevision", "One revision of a plugin with its source",
                {"200": json_reply("The revision.", ref("RevisionCode")), **unknown(), **away()},
                parameters=[NAME, _REVISION],
            )
        },
        "/api/plugins/{name}/rollback": {
            "post": operation(
                "plugins", "rollBack", "Let calls run an older revision again",
                {
                    "200": json_reply("It is current.", ref("RolledBack")),
                    "400": detail("The request can't be read."),
                    **unknown(),
                    **away(),
                },
                parameters=[NAME],
                requestBody=_body("RollBack"),
            )
        },
        "/api/platform": {
            "get": operation(
                "platform", "getPlatform", "What a client has to know beside this address",
                {"200": json_reply("Where NATS is.", ref("Platform"))},
            )
        },
        "/api/models": {
            "get": operation(
                "models", "getModels", "Models with all that is known of them, and the model servers",
                {"200": json_reply("The models.", ref("ModelPage")), **away()},
            )
        },
        "/api/models/chat": {"post": _chat()},
        "/api/ai/usage": {
            "get": operation(
                "models", "getUsage", "What models were used for since the brokers started, and what budgets have left",
                {"200": json_reply("The counts of all brokers together.", ref("Usage")), **away()},
            )
        },
    }  # fmt: skip


def _try() -> dict[str, Any]:
    reply = json_reply("It ran, well (`success`) or not.", ref("TryResult"))
    reply["content"]["text/event-stream"] = {
        "schema": {"type": "string", "description": "As of `POST /fn/{name}`."},
    }
    return operation(
        "plugins", "tryDraft", "Run a source once in the sandbox without deploying it",
        {
            "200": reply,
            "400": detail("The request can't be read, or asks for too high limits."),
            "413": detail("Source or input are too large."),
            **away(),
        },
        requestBody=_body("TryRequest"),
    )  # fmt: skip


def _chat() -> dict[str, Any]:
    reply = json_reply("The model's turn.", ref("ChatReply"))
    reply["content"]["text/event-stream"] = {
        "schema": {
            "type": "string",
            "description": "`output` (data: a JSON string) as it comes, at last `done` (data: AnswerDone).",
        },
        "example": 'event: output\ndata: "Hel"\n\nevent: done\ndata: {"success":true,"answered_by":"smollm2:135m"}\n\n',
    }
    return operation(
        "models", "askModel", "Let a model go on with a conversation; counted for the caller `playground`",
        {
            "200": reply,
            "400": detail("The request can't be read."),
            "413": detail("The request is too large."),
            "502": detail("The model refused or failed."),
            **away(),
        },
        requestBody=_body("AskModel"),
    )  # fmt: skip


def _body(name: str) -> dict[str, Any]:
    return {"required": True, "content": {JSON: {"schema": ref(name)}}}
