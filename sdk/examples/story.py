"""Tells a short story about whatever it is given, word by word as the model finds them.

Input: what the story is about.
Call:  wasmforge run story "a lighthouse keeper and a very small whale"
"""

from platform_sdk import get_input, send_chunk, send_output, stream_ai

topic = get_input().strip()[:500] or "a plugin that wanted to see the sea"

send_output(f"A story about {topic}\n\n")
for text in stream_ai(
    "qwen2.5:1.5b",
    f"Tell a short story about {topic}.",
    system="You tell stories for children, in plain words.",
    options={"temperature": 0.7, "num_predict": 100},
):
    send_chunk(text)
send_chunk("\n")
