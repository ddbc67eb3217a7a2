"""Plugins whose output is of every kind that the web app shows in a way of its own."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Plugin:
    """What is deployed."""

    source: str
    description: str = ""
    input_type: str = "text"
    hint: str = ""


_PICTURE = """import struct, zlib
from platform_sdk import send_output

def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

rows = b"".join(b"\\0" + b"\\x20\\x60\\xd0" * 8 for _ in range(8))
send_output(b"\\x89PNG\\r\\n\\x1a\\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
"""

_DRIP = """import time
from platform_sdk import send_output
for i in range(600):
    send_output(f"drop {i}")
    time.sleep(0.05)
"""

_FAILS = """from platform_sdk import get_input, send_output
send_output("so far")
print("in the log")
1 / int(get_input() or "0")
"""

_HOSTILE = """from platform_sdk import send_output
send_output(\"\"\"# Title

<script>document.title = "owned"</script><img src=x onerror="document.title='owned'">

[harmless](javascript:document.title='owned') ![pixel](https://example.com/pixel.png)

| a | b |
|---|---|
| <b>bold</b> | **strong** |
\"\"\")
"""

PLUGINS = {
    "web_echo": Plugin(
        "from platform_sdk import get_input_bytes, send_output\nsend_output(get_input_bytes())\n",
        "Sends its input back, **byte for byte**.",
        hint="Anything at all",
    ),
    "web_json": Plugin(
        "from platform_sdk import get_input, send_output\nimport json\n"
        'send_output({"given": json.loads(get_input()), "deep": {"list": [1, [2, {"x": None}]]}})\n',
        "Wraps JSON in JSON.",
        "json",
        'An object such as {"name": "Ada"}',
    ),
    "web_picture": Plugin(_PICTURE, "Paints a small picture."),
    "web_drip": Plugin(_DRIP, "Sends a line twenty times a second, for half a minute."),
    "web_fails": Plugin(_FAILS, "Divides by zero."),
    "web_hostile": Plugin(_HOSTILE, "<script>document.title = 'owned'</script> *tries* to get out"),
    "web_file": Plugin(
        "from platform_sdk import get_input_bytes, send_output\n"
        "data = get_input_bytes()\nsend_output(f'{len(data)} bytes, {sum(data)} in all')\n",
        "Counts the bytes of a file.",
        "file",
        "Any file",
    ),
    "web_big": Plugin(
        "from platform_sdk import send_output\nsend_output(('0123456789 ' * 9 + '\\n') * 10_000)\n", "Sends a megabyte."
    ),
}
