"""Which Debian mirror this machine's apt uses, read from its own configuration."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Source:
    """One archive as apt knows it."""

    uri: str
    suite: str
    components: tuple[str, ...]


def read_sources(folder: Path) -> list[Source]:
    """Binary archives named in ``sources.list`` and ``sources.list.d`` of an apt folder, in apt's order."""
    found: list[Source] = []
    files = [folder / "sources.list", *sorted((folder / "sources.list.d").glob("*"))]
    for file in files:
        try:
            text = file.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        if file.suffix == ".sources":
            found += _deb822(text)
        elif file.suffix == ".list":
            found += _one_line(text)
    return found


def debian_mirror(sources: Iterable[Source], codename: str) -> str | None:
    """The address of Debian's main archive: the one that serves this machine's own release.

    Args:
        sources: what apt is set to.
        codename: this machine's release (``bookworm``).
    """
    suites = {codename, "stable", "oldstable", "testing", "unstable", "sid", "bookworm", "trixie", "forky"} - {""}
    for source in sources:
        # Security and update archives have suites of other names; other vendors have other suites or no "main".
        if source.suite in suites and "main" in source.components and _is_debian(source.uri):
            return source.uri
    return None


def _is_debian(uri: str) -> bool:
    # A vendor's repository may name its suite after Debian's, but Debian's archive lies in a folder of that name.
    return re.search(r"debian/?(\d{8}T\d{6}Z)?/?$|debian[^/]*\.list$", uri) is not None


def _one_line(text: str) -> Iterator[Source]:
    for line in text.splitlines():
        words = re.sub(r"\[[^\]]*\]", " ", line.partition("#")[0]).split()
        if len(words) >= 3 and words[0] == "deb":
            yield Source(words[1], words[2], tuple(words[3:]))


def _deb822(text: str) -> Iterator[Source]:
    text = re.sub(r"^#.*\n?", "", text, flags=re.MULTILINE)
    for stanza in re.split(r"\n\s*\n", text):
        fields: dict[str, list[str]] = {}
        name = ""
        for line in stanza.splitlines():
            if line[:1] in (" ", "\t"):
                fields.setdefault(name, []).extend(line.split())
            elif ":" in line:
                name, _, value = line.partition(":")
                name = name.strip().lower()
                fields[name] = value.split()
        if "deb" not in fields.get("types", []) or fields.get("enabled", ["yes"])[0].lower() in ("no", "false", "0"):
            continue
        for uri in fields.get("uris", []):
            for suite in fields.get("suites", []):
                yield Source(uri, suite, tuple(fields.get("components", [])))
