"""Says of each of many short reviews whether it is good or bad; all are asked at the same time.

Input: one review a line, up to 10 (the limit of AI calls; `--limits ai_calls=50` allows more).
Call:  wasmforge run classify_reviews < reviews.txt

Answers with one line for each, `good`, `bad` or why it could not be told, and a tab before the review.
"""

import json

from platform_sdk import AIError, get_input, map_ai, send_output

reviews = [line.strip()[:1000] for line in get_input().splitlines() if line.strip()]
if not reviews:
    raise SystemExit("send one review a line")

answers = map_ai(
    "qwen2.5:1.5b",
    [f"Is this review good or bad?\n\n{review}" for review in reviews],
    format={"type": "object", "properties": {"verdict": {"enum": ["good", "bad"]}}, "required": ["verdict"]},
    options={"temperature": 0, "num_predict": 20},
    on_error="return",
)
for review, answer in zip(reviews, answers, strict=True):
    verdict = f"({answer.code})" if isinstance(answer, AIError) else json.loads(answer)["verdict"]
    send_output(f"{verdict}\t{review}")
