"""Summarises a long text: each part on its own, then the summaries. At most 10 model calls, however long the text is.

Input: a text of up to about 28,000 characters; of a longer one, parts evenly spread over it are read.
Call:  wasmforge run long_summary < report.txt
"""

from platform_sdk import AIError, call_ai, get_input, send_output

MODEL = "llama3.2:latest"
CALLS = 10
PART_CHARACTERS = 3_200


def parts_of(text: str) -> list[str]:
    """Paragraphs put together into parts that fit a prompt; a paragraph that does not fit is cut."""
    parts = [""]
    for paragraph in text.split("\n\n"):
        for start in range(0, len(paragraph), PART_CHARACTERS):
            piece = paragraph[start : start + PART_CHARACTERS].strip()
            if len(parts[-1]) + len(piece) + 2 > PART_CHARACTERS:
                parts.append("")
            parts[-1] = f"{parts[-1]}\n\n{piece}".strip()
    return [part for part in parts if part]


def summary(text: str) -> str:
    """Two sentences or so."""
    answer: str = call_ai(
        MODEL, "Summarize in two sentences:\n\n" + text, options={"temperature": 0.2, "num_predict": 120}
    )
    return answer.strip()


parts = parts_of(get_input())
if not parts:
    raise SystemExit("there is nothing to summarise: send a text")
if len(parts) >= CALLS:
    # One call is kept for the summary of the summaries.
    last = CALLS - 2
    parts = [parts[i * (len(parts) - 1) // last] for i in range(last + 1)]

summaries = []
for number, part in enumerate(parts, 1):
    try:
        summaries.append(summary(part))
    except AIError as error:
        print(f"part {number} of {len(parts)} is left out: {error}")

if not summaries:
    raise SystemExit("no model answered, the log says why")
if len(summaries) == 1:
    send_output(summaries[0])
else:
    send_output(summary("\n\n".join(summaries)[: PART_CHARACTERS + 600]))
