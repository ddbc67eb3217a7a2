"""Finds the key points of a text, then writes a headline from them: two calls, the second built on the first.

Input: a text of up to about 3,500 characters.
Call:  wasmforge run multi_step < article.txt
"""

from platform_sdk import call_ai, get_input, send_output

MODEL = "llama3.2:latest"

text = get_input().strip()

# A caller that streams reads the first step while the second is still being thought about.
points = call_ai(
    MODEL,
    "List the three key points of this text, one a line:\n\n" + text,
    options={"temperature": 0, "num_predict": 120},
)
send_output("Key points\n" + points.strip())

headline = call_ai(
    MODEL,
    "Write one short headline for a text with these key points:\n\n" + points[:1500],
    options={"temperature": 0, "num_predict": 30},
)
send_output("\nHeadline\n" + headline.strip().partition("\n")[0])
