"""Tells a story about what it is given; every word is sent when the model says it."""

from platform_sdk import get_input, send_chunk, stream_ai

subject = get_input().strip() or "a lighthouse"

for words in stream_ai(
    "llama3.2:latest",
    f"Tell a short story about {subject[:300]}.",
    options={"temperature": 0.8, "num_predict": 160},
):
    send_chunk(words)
