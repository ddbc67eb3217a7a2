"""Answers a question with the help of a function that the model may call."""

from datetime import UTC, date, datetime
from typing import Any

from platform_sdk import AIError, Message, Reply, chat, get_input, send_output

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "days_until",
            "description": "The number of days from today until a date",
            "parameters": {
                "type": "object",
                "properties": {"day": {"type": "string", "description": "The date as YYYY-MM-DD"}},
                "required": ["day"],
            },
        },
    }
]


def days_until(day: str) -> str:
    """What the model is told when it asks for it; it may ask for nonsense."""
    try:
        return str((date.fromisoformat(day) - datetime.now(UTC).date()).days)
    except (ValueError, TypeError):
        return f"{day!r} is no date"


messages: list[Message | Reply] = [{"role": "user", "content": get_input().strip()[:2000] or "How long until 2030?"}]
tools: list[dict[str, Any]] | None = TOOLS
for _ in range(4):
    try:
        reply = chat("llama3.2:latest", messages, tools=tools, options={"temperature": 0, "num_predict": 150})
    except AIError as error:
        if error.code != "not_supported":
            raise
        print("this model calls no functions; it is asked without them")
        tools = None
        continue
    if not reply["tool_calls"]:
        send_output(reply["content"].strip())
        break
    messages.append(reply)
    for call in reply["tool_calls"]:
        result = days_until(call["arguments"].get("day", ""))
        print("the model called", call["name"], call["arguments"], "and was told", result)
        messages.append({"role": "tool", "tool_name": call["name"], "content": result})
else:
    raise SystemExit("The model kept calling the function and never answered.")
