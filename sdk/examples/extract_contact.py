"""Extracts name, e-mail, telephone and company from a letter or signature, as JSON.

Input: a text of up to about 3,500 characters.
Call:  wasmforge run extract_contact < mail.txt

What a pattern can find for certain is found by pattern. The model is asked for the rest under a JSON schema, is asked
once more if what it says is not in the text, and is then not believed: a made-up name is worse than none.
"""

import json
import re

from platform_sdk import AIError, call_ai, get_input, send_output

SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "company": {"type": "string"}},
    "required": ["name", "company"],
}

text = get_input()
mail = re.search(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", text)
telephone = re.search(r"\+?\d[\d ()/-]{6,}\d", text)
contact: dict[str, str | None] = {
    "name": None,
    "company": None,
    "email": mail.group() if mail else None,
    "telephone": telephone.group() if telephone else None,
}

for seed in (1, 2):
    try:
        answer = call_ai(
            "llama3.2:latest",
            "Who wrote this, and for which company? Use the words of the text.\n\n" + text,
            format=SCHEMA,
            options={"temperature": 0.3, "seed": seed, "num_predict": 60},
        )
        said = json.loads(answer)
    except AIError as error:
        print("model:", error.code, error)
        if error.code in ("unavailable", "timeout", "busy"):
            continue
        break
    except ValueError:
        print("model: not JSON, perhaps cut off")
        continue
    for key in ("name", "company"):
        value = str(said.get(key, "")).strip()
        if contact[key] is None and value and value in text:
            contact[key] = value
    if contact["name"] and contact["company"]:
        break

send_output(contact)
