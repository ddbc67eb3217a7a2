"""Which result belongs to which call of a tool: OpenAI's API goes by identifiers, Ollama's by names."""

from collections.abc import Sequence

import msgspec

from schemas.ai import Message, ToolCall


def matched(messages: Sequence[Message]) -> list[Message]:
    """The conversation with an identifier at every call, and identifier and name at every result.

    A result that names neither belongs to the first call that has none yet.
    """
    found: list[Message] = []
    open_calls: list[ToolCall] = []
    count = 0
    for message in messages:
        if message.tool_calls:
            calls = [
                each if each.id else msgspec.structs.replace(each, id=f"call_{number}")
                for number, each in enumerate(message.tool_calls, count)
            ]
            count += len(calls)
            open_calls += calls
            found.append(msgspec.structs.replace(message, tool_calls=calls))
        elif message.role == "tool":
            call = next((call for call in open_calls if _belongs(message, call)), None)
            if call is None:
                found.append(message)
            else:
                open_calls.remove(call)
                found.append(msgspec.structs.replace(message, tool_name=call.name, tool_call_id=call.id))
        else:
            found.append(message)
    return found


def _belongs(result: Message, call: ToolCall) -> bool:
    if result.tool_call_id:
        return result.tool_call_id == call.id
    return not result.tool_name or result.tool_name == call.name
