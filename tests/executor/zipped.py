"""Plugins of many files, as an executor gets them."""

import textwrap
from collections.abc import Mapping

from schemas.archive import pack
from schemas.digest import revision_digest
from schemas.limits import Limits
from schemas.messages import PluginRevision
from schemas.pluginfiles import main_of


def content(files: Mapping[str, str | bytes]) -> dict[str, bytes]:
    """Files as bytes; text may be indented as you like."""
    return {
        path: data if isinstance(data, bytes) else textwrap.dedent(data).lstrip("\n").encode()
        for path, data in files.items()
    }


def zipped(files: Mapping[str, str | bytes], name: str = "plugin", **limits: int) -> PluginRevision:
    """The revision that a gateway makes of these files."""
    all_files = content(files)
    source = all_files[main_of(all_files)].decode()
    chosen = Limits(**({"timeout_ms": 20_000} | limits))
    return PluginRevision(name, revision_digest(source, chosen, all_files), source, chosen, pack(all_files))
