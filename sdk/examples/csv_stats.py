"""Statistics of each column of a CSV table, as a Markdown table. Calls no model.

Input: CSV with a header line; comma, semicolon, tab or bar between the fields.
Call:  wasmforge run csv_stats < sales.csv
"""

import csv
import io
import math
import statistics

from platform_sdk import get_input, send_output

lines = get_input().lstrip("\ufeff")
header = lines.partition("\n")[0]
delimiter = max(",;\t|", key=header.count)
rows = list(csv.reader(io.StringIO(lines), delimiter=delimiter))
if not rows:
    raise SystemExit("the table is empty: send CSV with a header line")


def number(field: str) -> float | None:
    """The field as a number, if it is one."""
    try:
        value = float(field)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def shown(value: float) -> str:
    """At most three decimals, none that say nothing."""
    return f"{value:.3f}".rstrip("0").rstrip(".")


names, data = rows[0], [row for row in rows[1:] if row]
table = ["| column | filled | kind | min | median | mean | max |", "|---|--:|---|--:|--:|--:|--:|"]
for i, name in enumerate(names):
    fields = [row[i].strip() for row in data if i < len(row) and row[i].strip()]
    numbers = [value for value in map(number, fields) if value is not None]
    cells = [name.strip(), str(len(fields))]
    if fields and len(numbers) == len(fields):
        middle = (statistics.median(numbers), statistics.fmean(numbers))
        cells += ["number", shown(min(numbers)), *map(shown, middle), shown(max(numbers))]
    elif fields:
        cells += [f"text, {len(set(fields))} different", "", statistics.mode(fields), "", ""]
    else:
        cells += ["empty", "", "", "", ""]
    table.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
table.append(f"\n{len(data)} rows, {len(names)} columns")
send_output("\n".join(table))
