"""Sorts messages, one a line: asks a model about all of them at once and sends a table."""

from platform_sdk import AIError, get_input, map_ai, send_output

KINDS = ("question", "complaint", "praise", "other")

# Each prompt counts as a model call; ten are allowed unless the plugin's limits say otherwise.
messages = [line.strip() for line in get_input().splitlines() if line.strip()][:10]
if not messages:
    raise SystemExit("Send messages, one a line.")

answers = map_ai(
    "qwen2.5:1.5b",
    [
        f"Is this a question, a complaint, praise or something other? Answer with one word.\n\n{m[:500]}"
        for m in messages
    ],
    on_error="return",
    options={"temperature": 0, "num_predict": 6},
)

lines = ["| message | kind |", "|---|---|"]
for message, answer in zip(messages, answers, strict=True):
    if isinstance(answer, AIError):
        kind = f"no answer: {answer.code}"
    else:
        kind = next((kind for kind in KINDS if kind in answer.lower()), "other")
    lines.append(f"| {message.replace('|', '/')} | {kind} |")
send_output("\n".join(lines))
