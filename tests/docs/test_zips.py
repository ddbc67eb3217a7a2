"""What the documentation says of plugins of many files is what holds."""

from pathlib import Path

from schemas import limits
from schemas.pluginfiles import MAINS

PAGE = (Path(__file__).parents[2] / "docs" / "plugins.md").read_text()


def test_the_limits_are_the_real_ones() -> None:
    assert limits.MAX_ARCHIVE_BYTES == limits.MAX_SOURCE_BYTES
    for said in (
        f"{limits.MAX_ARCHIVE_BYTES:,} bytes for the zip",
        f"{limits.MAX_UNPACKED_BYTES // limits.MIB} MiB unpacked",
        f"{limits.MAX_ARCHIVE_FILES:,} files",
        f"{limits.MAX_PATH_CHARACTERS} characters a path",
        f"{limits.MAX_ARCHIVE_RATIO} times its own size unpacked",
        *(f"`{main}`" for main in MAINS),
    ):
        assert said in PAGE, said
