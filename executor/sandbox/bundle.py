"""A plugin's files as one payload, of `frames.PREPARE` and `frames.CHECK`: the other end is `guest/bundle.py`."""

import json
from collections.abc import Mapping
from typing import Final

MAIN: Final = "plugin.py"
"""What a plugin is called that is a single file."""


def bundle(files: Mapping[str, bytes]) -> tuple[bytes, ...]:
    """u32 length of an index, the index as JSON (``[[path, length], …]``), the contents. The main file comes first."""
    index = json.dumps([(path, len(data)) for path, data in files.items()]).encode()
    return len(index).to_bytes(4, "little"), index, *files.values()
