"""Takes facts out of a text as JSON that follows a schema."""

import json

from platform_sdk import AIError, call_ai, get_input, send_output

KEYS = ("people", "places", "dates")
NAMES = {"type": "array", "items": {"type": "string"}}
SCHEMA = {"type": "object", "properties": dict.fromkeys(KEYS, NAMES), "required": list(KEYS)}

text = get_input()[:3500]
facts: dict[str, list[str]] = {}
try:
    answer = call_ai(
        "llama3.2:latest",
        "List the people, places and dates that this text names. Use its own words.\n\n" + text,
        format=SCHEMA,
        options={"temperature": 0, "num_predict": 200},
    )
    facts = json.loads(answer)
except AIError as error:
    # A small model may never find the end of its list.
    if error.code != "format_mismatch":
        raise
    print(error)

# The answer has the right shape; whether it is true is another matter. What the text does not say is left out.
send_output({key: [fact for fact in facts.get(key, []) if fact in text] for key in KEYS})
