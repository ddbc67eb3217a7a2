"""What was found, for people."""

COLUMNS = ("line", "column", "found", "use", "why")


def as_table(findings: list[dict[str, object]]) -> str:
    """A table in Markdown."""
    rows = [COLUMNS, ("--:", "--:", "---", "---", "---")]
    rows += [tuple(str(finding[column]) for column in COLUMNS) for finding in findings]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)
