"""Translates a text into the language that its first line names."""

from platform_sdk import call_ai, get_input, send_output

DEFAULT = "Vietnamese"

first, _, rest = get_input().partition("\n")
if first.lower().startswith("to:"):
    language, text = first[3:].strip() or DEFAULT, rest
else:
    language, text = DEFAULT, f"{first}\n{rest}"
if not text.strip():
    raise SystemExit("There is nothing to translate: send a text, after an optional line such as 'to: French'.")

answer = call_ai(
    "qwen2.5:1.5b",
    f"Translate into {language}:\n\n{text.strip()[:3500]}",
    system="You are a translator. Answer with the translation and nothing else.",
    options={"temperature": 0, "num_predict": 400},
)
send_output(answer.strip())
