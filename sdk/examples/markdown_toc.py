"""Writes the table of contents of a Markdown document. Calls no model.

Input: Markdown.
Call:  wasmforge run markdown_toc < README.md
"""

import re

from platform_sdk import get_input, send_output

entries: list[tuple[int, str]] = []
fence = ""
for line in get_input().splitlines():
    mark = re.match(r" {0,3}(`{3,}|~{3,})", line)
    if mark and not fence:
        fence = mark.group(1)
    elif mark and mark.group(1).startswith(fence):
        fence = ""
    elif not fence and (heading := re.match(r" {0,3}(#{1,6})\s+(.+?)\s*#*\s*$", line)):
        entries.append((len(heading.group(1)), heading.group(2)))

top = min((level for level, _ in entries), default=1)
seen: dict[str, int] = {}
contents = []
for level, title in entries:
    plain = re.sub(r"!?\[([^\]]*)\]\([^)]*\)|[*`]", lambda match: match.group(1) or "", title)
    anchor = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
    count = seen[anchor] = seen.get(anchor, -1) + 1
    contents.append(f"{'  ' * (level - top)}- [{plain}](#{anchor}{f'-{count}' if count else ''})")
send_output("\n".join(contents) or "no headings")
