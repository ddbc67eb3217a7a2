"""The web app as `gateway/web` was built: read once, served from memory, already compressed."""

import mimetypes
import re
from dataclasses import dataclass
from email.utils import formatdate
from hashlib import sha256
from pathlib import Path

from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.replies import RawHeaders

POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "connect-src 'self'; worker-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; "
    "object-src 'none'"
)
"""Nothing is loaded from elsewhere. The editor sets styles on its elements, hence ``unsafe-inline`` for those."""

_API = frozenset(("api", "fn", "health", "docs", "openapi.json", "metrics"))
"""First parts of paths that are never the web app's."""
_HASHED = "assets"
"""Names in this folder change with their content."""
_ENCODINGS = (("br", ".br"), ("gzip", ".gz"))
_REFUSED = re.compile(r";\s*q=0(\.0*)?\s*$")
"""RFC 9110, section 12.4.2: a coding of no weight is one that the client does not take."""
_FOR_EVER = b"public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class _File:
    headers: RawHeaders
    etag: bytes
    variants: dict[str, bytes]
    """By content coding; ``identity`` is always there."""


class WebApp:
    """Serves the web app, and hands everything that is the API's to ``api``.

    Args:
        folder: what ``npm run build`` made: ``landing.html`` is the page under ``/``, ``index.html`` any other.
    """

    def __init__(self, api: ASGIApp, folder: Path) -> None:
        self._api = api
        self._files = _read(folder)
        self._index = self._files.pop("index.html")
        self._landing = self._files.pop("landing.html", self._index)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        parts = scope["path"].removeprefix("/").split("/")
        if scope["method"] not in ("GET", "HEAD") or parts[0] in _API:
            await self._api(scope, receive, send)
            return
        file = self._landing if parts == [""] else self._files.get("/".join(parts))
        if file is None:
            # Browsers ask for a page when they open a deep link; who asks for anything else is told it is not there.
            if not any(name == b"accept" and b"text/html" in value for name, value in scope["headers"]):
                await self._api(scope, receive, send)
                return
            file = self._index
        await _send(file, scope, send)


def is_built(folder: Path) -> bool:
    """Whether there is a web app to serve."""
    return (folder / "index.html").is_file()


async def _send(file: _File, scope: Scope, send: Send) -> None:
    asked = dict(scope["headers"])
    listed = asked.get(b"accept-encoding", b"").decode("latin-1").split(",")
    accepted = {part.partition(";")[0].strip() for part in listed if not _REFUSED.search(part)}
    coding = next((name for name, _ in _ENCODINGS if name in accepted and name in file.variants), "identity")
    body = file.variants[coding]
    etag = b'"%s-%s"' % (file.etag, coding.encode())
    headers = [*file.headers, (b"etag", etag)]
    if coding != "identity":
        headers.append((b"content-encoding", coding.encode()))
    if asked.get(b"if-none-match") == etag:
        await send({"type": "http.response.start", "status": 304, "headers": headers})
        await send({"type": "http.response.body"})
        return
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


def _read(folder: Path) -> dict[str, _File]:
    compressed = tuple(ending for _, ending in _ENCODINGS)
    files = {}
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.name.endswith(compressed):
            continue
        content = path.read_bytes()
        variants = {"identity": content}
        for coding, ending in _ENCODINGS:
            beside = path.with_name(path.name + ending)
            if beside.is_file():
                variants[coding] = beside.read_bytes()
        name = path.relative_to(folder).as_posix()
        etag = sha256(content).hexdigest()[:32].encode()
        files[name] = _File(_headers(name, path.stat().st_mtime), etag, variants)
    return files


def _headers(name: str, changed_at: float) -> RawHeaders:
    media_type = mimetypes.guess_type(name)[0] or "application/octet-stream"
    if media_type.startswith("text/") or media_type == "application/javascript":
        media_type += "; charset=utf-8"
    return [
        (b"content-type", media_type.encode()),
        (b"cache-control", _FOR_EVER if name.startswith(f"{_HASHED}/") else b"no-cache"),
        (b"last-modified", formatdate(changed_at, usegmt=True).encode()),
        (b"vary", b"accept-encoding"),
        (b"content-security-policy", POLICY.encode()),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"),
        (b"cross-origin-opener-policy", b"same-origin"),
    ]
