"""Summarises a text in a few sentences.

Input: a text of up to about 3,900 characters (long_summary.py takes longer ones).
Call:  wasmforge run summarize < article.txt
"""

from platform_sdk import call_ai, get_input, send_output

text = get_input()
result = call_ai("qwen2.5:1.5b", "Summarize: " + text, options={"temperature": 0, "num_predict": 120})
send_output(result.strip())
