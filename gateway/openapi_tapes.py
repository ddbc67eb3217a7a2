"""The operation on tapes; `gateway.openapi` puts the document together."""

from typing import Any

from gateway.openapi_parts import away, detail, json_reply, operation, path_parameter, ref

_ID = path_parameter(
    "id",
    "The execution, as `Wasmforge-Execution-Id` names it.",
    {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"},
)


def tape_operations() -> dict[str, Any]:
    """Their part of ``paths``."""
    return {
        "/api/executions/{id}/tape": {
            "get": operation(
                "functions", "getTape", "The tape of a call that was recorded",
                {
                    "200": json_reply("The tape; `wasmforge replay` and `wasmforge test` take it.", ref("Tape")),
                    "404": detail("The call was not recorded, or its tape is older than seven days."),
                    **away(),
                },
                parameters=[_ID],
            )
        }
    }  # fmt: skip
