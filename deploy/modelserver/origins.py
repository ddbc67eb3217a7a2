"""Keeps web pages away from a server on loopback: a page that somebody looks at can send requests to it, too."""

import ipaddress
from urllib.parse import urlsplit

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send


class LocalOnly:
    """Refuses requests under another host's name (DNS rebinding) and from pages of other sites, as Ollama does.

    Only for a server that listens on loopback; one that listens elsewhere is meant to be called by other names.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "http":
            headers = dict(scope["headers"])
            host, origin = headers.get(b"host"), headers.get(b"origin")
            if (host and not is_loopback(f"//{host.decode('latin-1')}")) or (
                origin is not None and not is_loopback(origin.decode("latin-1"))
            ):
                await JSONResponse({"error": "forbidden"}, 403)(scope, receive, send)
                return
        await self._app(scope, receive, send)


def is_loopback(url: str) -> bool:
    """Whether a URL names this machine, and nothing that a name server could turn elsewhere."""
    try:
        host = urlsplit(url).hostname or ""
    except ValueError:
        return False
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
