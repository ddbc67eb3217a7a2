"""Adds up a list of orders that comes as JSON. Calls no model."""

import json
from collections import defaultdict

from platform_sdk import get_input, send_output

try:
    orders = json.loads(get_input())
    totals: defaultdict[str, float] = defaultdict(float)
    for order in orders:
        totals[order["customer"]] += order["amount"]
except (ValueError, KeyError, TypeError) as error:
    raise SystemExit(f'Send a list such as [{{"customer": "Ada", "amount": 12.5}}]: {error!r}') from None

lines = ["| customer | total |", "|---|--:|"]
lines += [f"| {customer} | {total:,.2f} |" for customer, total in sorted(totals.items(), key=lambda item: -item[1])]
send_output("\n".join(lines))
