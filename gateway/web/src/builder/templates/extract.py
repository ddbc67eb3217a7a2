"""Takes facts out of a text as JSON that follows a schema."""

import json

from platform_sdk import call_ai, get_input, send_output

SCHEMA = {
    "type": "object",
    "properties": {
        "people": {"type": "array", "items": {"type": "string"}},
        "places": {"type": "array", "items": {"type": "string"}},
        "dates": {"type": "array", "items": {"type": "string"}},
    },
    "required": ["people", "places", "dates"],
}

text = get_input()[:3500]
answer = call_ai(
    "llama3.2:latest",
    "List the people, places and dates that this text names. Use its own words.\n\n" + text,
    format=SCHEMA,
    options={"temperature": 0, "num_predict": 200},
)
facts = json.loads(answer)

# The answer has the right shape; whether it is true is another matter. What the text does not say is left out.
send_output({key: [fact for fact in found if fact in text] for key, found in facts.items()})
