"""Requests as OpenAI's API takes them."""

from typing import Any

import msgspec

from broker.backends.images import media_type
from broker.backends.tool_ids import matched
from schemas.ai import ChatRequest, GenerateRequest, Message

_RENAMED = {"num_predict": "max_tokens"}
_MEANINGLESS = {"num_ctx", "num_keep", "penalize_newline"}
"""How much context there is, these servers decide when they start."""


def body_of_generate(model: str, request: GenerateRequest) -> dict[str, Any]:
    """A conversation of one prompt."""
    messages = [Message("user", request.prompt, request.images)]
    if request.system:
        messages.insert(0, Message("system", request.system))
    return body_of_chat(model, ChatRequest(model, messages, None, request.format, request.options))


def body_of_chat(model: str, request: ChatRequest) -> dict[str, Any]:
    """A conversation."""
    body: dict[str, Any] = {"model": model, "messages": [_spoken(each) for each in matched(request.messages)]}
    for name, value in (request.options or {}).items():
        if name in _MEANINGLESS or (name in ("num_predict", "seed") and value < 0):
            continue
        body[_RENAMED.get(name, name)] = value
    if request.tools:
        body["tools"] = request.tools
    if request.format == "json":
        body["response_format"] = {"type": "json_object"}
    elif request.format is not None:
        body["response_format"] = {
            "type": "json_schema",
            "json_schema": {"name": "answer", "schema": request.format},
        }
    return body


def _spoken(message: Message) -> dict[str, Any]:
    """A message as OpenAI writes it."""
    spoken: dict[str, Any] = {"role": message.role, "content": message.content}
    if message.images:
        spoken["content"] = [
            {"type": "text", "text": message.content},
            *({"type": "image_url", "image_url": {"url": f"data:{media_type(i)};base64,{i}"}} for i in message.images),
        ]
    if message.tool_calls:
        spoken["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": msgspec.json.encode(call.arguments).decode()},
            }
            for call in message.tool_calls
        ]
    if message.role == "tool":
        spoken["tool_call_id"] = message.tool_call_id or message.tool_name or "call_0"
    return spoken
