"""Rates how a text feels, then writes a short report: two model calls with plain Python between them."""

import re

from platform_sdk import call_ai, get_input, send_output

MODEL = "qwen2.5:1.5b"

text = get_input().strip()[:3000]
if not text:
    raise SystemExit("Send a text, such as a review.")

rating = call_ai(
    MODEL,
    f"How positive is this text, from 0 (not at all) to 10 (very)? Answer with one number.\n\n{text}",
    options={"temperature": 0, "num_predict": 8},
)

# A model may say more than it was asked for: take the first number, and only one that makes sense.
number = re.search(r"\d+(?:\.\d+)?", rating)
score = min(float(number.group()), 10.0) if number else None
if score is None:
    mood = "unclear"
elif score >= 7:
    mood = "positive"
elif score >= 4:
    mood = "neutral"
else:
    mood = "negative"
print("the model said", repr(rating), "which counts as", mood)

report = call_ai(
    MODEL,
    f"The mood of the following text is {mood}. Say in two sentences why.\n\n{text}",
    options={"temperature": 0.2, "num_predict": 80},
)
send_output({"mood": mood, "score": score, "report": report.strip()})
