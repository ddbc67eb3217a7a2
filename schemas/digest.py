"""The digest that names a revision: the same source with the same limits is the same revision."""

import hashlib

import msgspec

from schemas.limits import Limits


def revision_digest(source: str, limits: Limits) -> str:
    """SHA-256 in hexadecimal over the source's UTF-8 and the limits in canonical JSON."""
    digest = hashlib.sha256(source.encode("utf-8"))
    digest.update(b"\0")
    digest.update(msgspec.json.encode(limits, order="deterministic"))
    return digest.hexdigest()
