"""The digest that names a revision: the same source and files with the same limits are the same revision."""

import hashlib
from collections.abc import Mapping

import msgspec

from schemas.limits import Limits


def revision_digest(source: str, limits: Limits, files: Mapping[str, bytes] | None = None) -> str:
    """SHA-256 in hexadecimal over the source's UTF-8 and the limits in canonical JSON; of a zip also over its files.

    It covers what the files are, not how they were compressed.
    """
    digest = hashlib.sha256(source.encode("utf-8"))
    digest.update(b"\0")
    digest.update(msgspec.json.encode(limits, order="deterministic"))
    for path, data in sorted((files or {}).items()):
        digest.update(b"\0%s\0%d\0" % (path.encode("utf-8"), len(data)))
        digest.update(data)
    return digest.hexdigest()
