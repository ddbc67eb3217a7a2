"""Where WasmForge is: one way to read an address, from the command line, the environment or a caller."""

from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from schemas.errors import InvalidInput

DEFAULT_URL = "http://127.0.0.1:8000"
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what a gateway listens on, not what one connects to


def base_url(address: str) -> str:
    """The base URL for ``host:port``, ``host``, ``:port`` or a URL (a path is kept, for a gateway behind a proxy).

    Raises:
        InvalidInput: it can't be an address.
    """
    text = address.strip()
    if "://" not in text:
        text = f"http://{'127.0.0.1' if text.startswith(':') else ''}{text}"
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.scheme not in ("http", "https") or not url.host or not 0 < (url.port or 80) < 65536:
        raise InvalidInput(f"{address!r} is not an address: write http://host:port or host:port")
    url = url.copy_with(host=_EVERYWHERE.get(url.host, url.host), query=None, fragment=None)
    return str(url).rstrip("/")


@dataclass(frozen=True)
class Settings:
    """What client and command line take from their surroundings."""

    url: str = DEFAULT_URL

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> "Settings":
        """Read ``WASMFORGE_HTTP`` (a URL, or host:port as for the gateway)."""
        return cls(url=base_url(environ.get("WASMFORGE_HTTP") or DEFAULT_URL))
