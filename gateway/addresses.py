"""Addresses that users are told."""

from urllib.parse import urlsplit


def without_credentials(addresses: str) -> str:
    """The first of some NATS addresses as anybody may see it: ``nats://host:port``, no user, password or token.

    Args:
        addresses: as in ``WASMFORGE_NATS``, separated by commas; a scheme or port that is not there is filled in.
    """
    first = addresses.split(",", maxsplit=1)[0].strip()
    parts = urlsplit(first if "://" in first else f"nats://{first}")
    place = parts.netloc.rpartition("@")[2] or "127.0.0.1"
    has_port = place.rpartition(":")[2].isdecimal() and not place.endswith("]")
    return f"{parts.scheme}://{place}{'' if has_port else ':4222'}"
