"""Where a server is, out of its URL."""

import base64
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit


@dataclass(frozen=True, slots=True)
class Address:
    """The parts of a server's URL."""

    host: str
    port: int
    tls: bool
    path: str
    """Before every path that is asked for; without a slash at its end."""
    authorization: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, url: str) -> "Address":
        """The address that ``url`` names; without a scheme it means ``http``.

        Raises:
            ValueError: it is not a URL of a server.
        """
        parts = urlsplit(url.strip() if "://" in url else f"http://{url.strip()}")
        if parts.scheme not in ("http", "https"):
            raise ValueError("it must begin with http:// or https://")
        if not parts.hostname or any(c <= " " or c > "~" for c in parts.netloc + parts.path):
            raise ValueError("it names no host")
        port = parts.port if parts.port is not None else (443 if parts.scheme == "https" else 80)
        if port == 0:
            raise ValueError("port 0 can't be reached")
        if parts.query or parts.fragment:
            raise ValueError("it must end with a path")
        authorization = None
        if parts.username or parts.password:
            pair = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
            authorization = "Basic " + base64.b64encode(pair.encode()).decode()
        return cls(parts.hostname, port, parts.scheme == "https", parts.path.rstrip("/"), authorization)

    @property
    def host_header(self) -> str:
        """``host:port``, an IPv6 address in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.tls else 80) else f"{host}:{self.port}"

    def __str__(self) -> str:
        """The URL, without a password."""
        return f"{'https' if self.tls else 'http'}://{self.host_header}{self.path}"
