"""Says what a file is: its size, its type by its first bytes, its digest. Takes any file."""

import hashlib
import struct

from platform_sdk import get_input_bytes, send_output

MAGIC = {
    b"\x89PNG\r\n\x1a\n": "PNG image",
    b"\xff\xd8\xff": "JPEG image",
    b"GIF8": "GIF image",
    b"%PDF-": "PDF document",
    b"PK\x03\x04": "ZIP archive, or a document that is one",
    b"\x1f\x8b": "gzip",
}

data = get_input_bytes()
kind = next((name for magic, name in MAGIC.items() if data.startswith(magic)), None)
if kind is None:
    try:
        data.decode("utf-8")
        kind = "text (UTF-8)"
    except UnicodeDecodeError:
        kind = "unknown"

facts: dict[str, object] = {"kind": kind, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
if kind == "PNG image" and len(data) >= 24:
    facts["width"], facts["height"] = struct.unpack(">II", data[16:24])
send_output(facts)
