"""What a conversation may consist of: messages, pictures, tools."""

import binascii
import re
from collections.abc import Sequence
from typing import Any

import msgspec

from broker.backends.images import KINDS, media_type
from broker.refusal import check_json, check_length, invalid, too_long
from schemas.ai import Message
from schemas.limits import (
    MAX_CHAT_CHARACTERS,
    MAX_IMAGES,
    MAX_IMAGES_BYTES,
    MAX_MESSAGES,
    MAX_PROMPT_CHARACTERS,
    MAX_TOOLS,
    MAX_TOOLS_BYTES,
)

MAX_CALLS = 32
"""Calls of tools in one message."""

MAX_DEPTH = 32
MAX_ID_CHARACTERS = 200
_TOOL_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_EXAMPLE = '{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}'


def check_messages(messages: Sequence[Message]) -> int:
    """Refuse a conversation that no model should get.

    Returns:
        How many characters it has.

    Raises:
        AIFailure: says what is wrong and what would be right.
    """
    if not messages:
        raise invalid("there are no messages")
    if len(messages) > MAX_MESSAGES:
        raise invalid(f"there are {len(messages):,} messages, the limit is {MAX_MESSAGES}")
    characters = sum(_check_message(message) for message in messages)
    if characters > MAX_CHAT_CHARACTERS:
        raise too_long("conversation", characters, MAX_CHAT_CHARACTERS)
    if not any(message.content.strip() or message.images for message in messages):
        raise invalid("the messages are empty")
    check_images([image for message in messages for image in message.images or ()])
    return characters


def check_images(images: Sequence[str]) -> None:
    """Refuse what is no picture in base64, too large, or too many.

    Raises:
        AIFailure: names the limit.
    """
    if len(images) > MAX_IMAGES:
        raise invalid(f"there are {len(images):,} images, the limit is {MAX_IMAGES}")
    if (size := sum(map(len, images)) * 3 // 4) > MAX_IMAGES_BYTES:
        raise invalid(f"the images have {size:,} bytes, the limit is {MAX_IMAGES_BYTES:,}")
    for image in images:
        try:
            binascii.a2b_base64(image.encode("ascii"), strict_mode=True)
        except (ValueError, binascii.Error):
            raise invalid("an image is not base64") from None
        if media_type(image) is None:
            raise invalid(f"an image is of an unknown kind: give {KINDS}")


def check_tools(tools: Sequence[dict[str, Any]]) -> int:
    """Refuse tools that models don't understand.

    Returns:
        How many characters the models read of them.

    Raises:
        AIFailure: shows a good one.
    """
    if not tools:
        return 0
    if len(tools) > MAX_TOOLS:
        raise invalid(f"there are {len(tools):,} tools, the limit is {MAX_TOOLS}")
    check_json("tools are given that are", tools, MAX_TOOLS_BYTES, MAX_DEPTH)
    names = set()
    for tool in tools:
        function = tool.get("function")
        name = function.get("name") if isinstance(function, dict) else None
        if (
            tool.get("type") != "function"
            or not isinstance(function, dict)
            or not isinstance(name, str)
            or not isinstance(function.get("description", ""), str)
            or not isinstance(function.get("parameters", {}), dict)
        ):
            raise invalid(f"a tool must look like {_EXAMPLE}")
        if not _TOOL_NAME.fullmatch(name):
            raise invalid(f"{name[:80]!r} can't be a tool's name: use 1 to 64 letters, digits, '_', '-' or '.'")
        if name in names:
            raise invalid(f"two tools are called {name!r}")
        names.add(name)
    return len(msgspec.json.encode(tools))


def _check_message(message: Message) -> int:
    what = "system prompt" if message.role == "system" else "message"
    check_length(what, message.content, MAX_PROMPT_CHARACTERS if message.role == "system" else MAX_CHAT_CHARACTERS)
    if message.role != "tool" and (message.tool_name or message.tool_call_id):
        raise invalid("only a message with the role 'tool' answers a call of a tool")
    for name in (message.tool_name, message.tool_call_id):
        check_length("name of a tool or a call", name or "", MAX_ID_CHARACTERS)
    calls = message.tool_calls or []
    if not calls:
        return len(message.content)
    if message.role != "assistant":
        raise invalid("only a message with the role 'assistant' calls tools")
    if len(calls) > MAX_CALLS:
        raise invalid(f"a message calls {len(calls):,} tools, the limit is {MAX_CALLS}")
    for call in calls:
        if not _TOOL_NAME.fullmatch(call.name):
            raise invalid(f"{call.name[:80]!r} can't be a tool's name")
        check_length("name of a tool or a call", call.id or "", MAX_ID_CHARACTERS)
        check_json("a tool is called with arguments that are", call.arguments, MAX_TOOLS_BYTES, MAX_DEPTH)
    return len(message.content) + len(msgspec.json.encode(calls))
