"""Small questions over HTTP, asked without keeping the event loop waiting."""

import asyncio
import json
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit

_LOCAL = ("127.0.0.1", "localhost", "::1")


async def get_json(url: str, timeout_seconds: float) -> dict[str, Any] | None:
    """The JSON object that ``url`` answers with, of whatever status; None if there is none."""
    return await asyncio.to_thread(_get_json, url, timeout_seconds)


def _get_json(url: str, timeout_seconds: float) -> dict[str, Any] | None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        return None
    # This machine is never reached through a proxy.
    handlers = [urllib.request.ProxyHandler({})] if parts.hostname in _LOCAL else []
    try:
        with urllib.request.build_opener(*handlers).open(url, timeout=timeout_seconds) as reply:
            body = reply.read(1_000_000)
    except urllib.error.HTTPError as error:
        with error:
            body = error.read(1_000_000)
    except (OSError, ValueError):
        return None
    try:
        found = json.loads(body)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
