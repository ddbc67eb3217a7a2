"""Routes a support ticket: department and urgency by rules, tone by a model, all as JSON.

Input: the ticket's text.
Call:  wasmforge run route_ticket "I was charged twice and nobody answers!"

The rules decide where the ticket goes, so the same ticket always goes to the same place, with or without a model.
"""

import json
import re

from platform_sdk import AIError, call_ai, get_input, send_output

DEPARTMENTS = {
    "billing": r"invoice|charged?|refund|payment|price|credit card|bill(?:ing|ed)?",
    "access": r"log ?in|password|locked|account|two.factor|sign ?in",
    "technical": r"error|crash(?:es|ed)?|bug|slow|broken|does(?: not|n't) work|fails?|timeout",
    "shipping": r"deliver(?:y|ed)|package|parcel|tracking|arrived?|shipment",
}
URGENT = r"urgent|immediately|asap|right now|production|down|lost|lawyer|everybody|all users"
TONES = ("angry", "neutral", "friendly")

ticket = get_input().strip()
hits = {
    department: len(re.findall(rf"\b(?:{words})\b", ticket, re.IGNORECASE)) for department, words in DEPARTMENTS.items()
}
best = max(hits, key=lambda department: hits[department])

tone = None
if ticket:
    try:
        answer = call_ai(
            "gemma2:2b",
            f"What is the tone of this message: angry, neutral or friendly?\n\n{ticket[:3000]}",
            format={"type": "object", "properties": {"tone": {"enum": list(TONES)}}, "required": ["tone"]},
            options={"temperature": 0, "num_predict": 20},
        )
        tone = json.loads(answer)["tone"]
    except (AIError, ValueError, KeyError, TypeError) as error:
        print("tone left open:", error)

send_output(
    {
        "department": best if hits[best] else "general",
        "urgent": bool(re.search(rf"\b(?:{URGENT})\b", ticket, re.IGNORECASE)) or ticket.count("!") > 2,
        "tone": tone if tone in TONES else None,
        "words": len(ticket.split()),
    }
)
