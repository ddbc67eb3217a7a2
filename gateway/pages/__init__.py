"""The few pages that need no build: what this is, and a page to try the API that works without the internet."""

import importlib.resources
import importlib.util
from collections.abc import Awaitable, Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Nothing is loaded from elsewhere. Swagger UI sets styles on its elements, hence ``unsafe-inline`` for those."""

_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def page_routes() -> list[BaseRoute]:
    """``/`` and ``/docs``; the latter is made of Swagger UI as the package flask-swagger-ui carries it."""
    swagger = swagger_folder()
    routes: list[BaseRoute] = [Route("/", _page("home.html", "text/html"))]
    if swagger is None:
        return [*routes, Route("/docs", _page("no_docs.html", "text/html"))]
    return [
        *routes,
        Route("/docs", _page("docs.html", "text/html")),
        Route("/docs/start.js", _page("docs.js", "text/javascript")),
        Mount("/docs", StaticFiles(directory=swagger)),
    ]


def swagger_folder() -> Path | None:
    """Where Swagger UI lies, or None. The package is not imported: it would import Flask."""
    spec = importlib.util.find_spec("flask_swagger_ui")
    for place in (spec.submodule_search_locations or []) if spec is not None else []:
        folder = Path(place) / "dist"
        if (folder / "swagger-ui-bundle.js").is_file():
            return folder
    return None


def _page(name: str, media_type: str) -> Callable[[Request], Awaitable[Response]]:
    content = importlib.resources.files(__name__).joinpath(name).read_bytes()

    async def get(_: Request) -> Response:
        return Response(content, media_type=media_type, headers=_HEADERS)

    return get
