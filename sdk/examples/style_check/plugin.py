"""Finds words in a text for which a style guide knows better ones.

A plugin of several files: modules, a package that was copied in (`textpos`), and a table. Calls no model.

Input: a text.
Call:  wasmforge run style_check < article.txt
"""

import json

import textpos
from platform_sdk import get_input, send_output
from report import as_table
from terms import load

text = get_input()
if not text.strip():
    raise SystemExit("send the text that is to be checked")

places = textpos.Places(text)
findings = [
    {"line": line, "column": column, "found": found, "use": term.use, "why": term.why}
    for term in load("data/terms.csv")
    for found, (line, column) in places.find(term.pattern)
]
findings.sort(key=lambda finding: (finding["line"], finding["column"]))
send_output(as_table(findings) if findings else "Nothing to improve.")
print(json.dumps({"findings": len(findings)}))
