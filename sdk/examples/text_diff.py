"""Compares two texts and sends their unified diff. Calls no model.

Input: JSON {"old": TEXT, "new": TEXT}.
Call:  jq -n --rawfile old a.txt --rawfile new b.txt '{$old, $new}' | wasmforge run text_diff
"""

import difflib
import json

from platform_sdk import get_input, send_output

try:
    texts = json.loads(get_input())
    old, new = texts["old"].splitlines(), texts["new"].splitlines()
except (ValueError, KeyError, TypeError, AttributeError):
    raise SystemExit('send JSON such as {"old": "one text", "new": "another"}') from None

changes = list(difflib.unified_diff(old, new, "old", "new", lineterm=""))
added = sum(line.startswith("+") for line in changes[2:])
removed = sum(line.startswith("-") for line in changes[2:])
send_output("\n".join([*changes, f"{added} added, {removed} removed"]))
