"""Summarises a text in a few sentences."""

from platform_sdk import call_ai, get_input, send_output

text = get_input().strip()
if not text:
    raise SystemExit("There is nothing to summarise: send a text.")

answer = call_ai(
    "qwen2.5:1.5b",
    "Summarize this text in at most three sentences:\n\n" + text[:3500],
    options={"temperature": 0, "num_predict": 150},
)
send_output(answer.strip())
