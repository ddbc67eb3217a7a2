"""Translates a text. The first line may name the language ("to: French"), otherwise it is English.

Input: an optional line "to: LANGUAGE", then a text of up to about 3,500 characters.
Call:  printf 'to: French\nGood morning, everybody.' | wasmforge run translate
"""

from platform_sdk import call_ai, get_input, send_output

language, text = "English", get_input()
first, _, rest = text.partition("\n")
if first.lower().startswith("to:"):
    language, text = first[3:].strip() or language, rest

if not text.strip():
    raise SystemExit("there is nothing to translate: send a text, after an optional line such as 'to: French'")

translation = call_ai(
    "qwen2.5:1.5b",
    f"Translate the following text to {language}. Answer with the translation and nothing else.\n\n{text.strip()}",
    system="You are a careful translator.",
    options={"temperature": 0, "num_predict": 400},
)
send_output(translation.strip())
