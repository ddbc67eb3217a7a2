"""Finds the paragraphs of a text that are closest in meaning to a question.

Input: the question in the first line, then the text, paragraphs with an empty line between.
Call:  wasmforge run search < file.txt

Answers with the three best, as JSON: how close each is (1 is the same), and the paragraph.
"""

import math

from platform_sdk import embed, get_input, send_output

MODEL = "llama3.2:latest"
AT_ONCE = 64  # texts that one call takes


def cosine(one: list[float], other: list[float]) -> float:
    """How much two vectors point the same way: 1 is the same direction, 0 none in common."""
    length = math.hypot(*one) * math.hypot(*other)
    return sum(map(float.__mul__, one, other)) / length if length else 0.0


question, _, text = get_input().strip().partition("\n")
paragraphs = [paragraph.strip()[:2000] for paragraph in text.split("\n\n") if paragraph.strip()]
if not question.strip() or not paragraphs:
    raise SystemExit("send a question in the first line and a text below it")

vectors = []
for start in range(0, len(paragraphs), AT_ONCE - 1):
    # The question goes along, so that one call does for a text of ordinary length.
    asked, *found = embed(MODEL, [question, *paragraphs[start : start + AT_ONCE - 1]])
    vectors += found
ranked = sorted(zip((cosine(asked, vector) for vector in vectors), paragraphs, strict=True), reverse=True)
send_output([{"score": round(score, 4), "paragraph": paragraph} for score, paragraph in ranked[:3]])
