"""Addresses to listen on: read, checked before use, and free ones found."""

import errno
import socket

from deploy.local.process import StartFailed


def split(address: str, variable: str) -> tuple[str, int]:
    """``host:port``, with or without a scheme, as a pair.

    Raises:
        StartFailed: it is no such address; names the variable it came from.
    """
    host, colon, port = address.rpartition("://")[2].rstrip("/").rpartition(":")
    if not colon or not port.isdecimal() or not 0 <= int(port) <= 65535:
        raise StartFailed(f"{variable}={address} is not an address; give host:port, such as 127.0.0.1:8000")
    return host.strip("[]") or "127.0.0.1", int(port)


def check_free(host: str, port: int, variable: str) -> None:
    """Make sure that nobody listens there.

    Raises:
        StartFailed: somebody does, or nobody may; names the port and the variable that changes it.
    """
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family) as probe:
            # With SO_REUSEADDR only a listener is in the way, not a closed connection's remains.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            probe.listen(1)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            why = f"port {port} on {host} is taken by another program; stop it, or choose another port with {variable}"
        else:
            why = f"can't listen on {host}:{port} ({error.strerror or error}); choose another address with {variable}"
        raise StartFailed(why) from error


def find_free(host: str = "127.0.0.1") -> int:
    """A port that is free now."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def reachable(host: str, port: int) -> str:
    """``host:port`` that a program on this machine connects to for a server that listens on ``host``."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
