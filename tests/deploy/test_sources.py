"""Finding Debian's mirror in apt's own configuration."""

from pathlib import Path

import pytest

from deploy.setup.sources import Source, debian_mirror, read_sources

DEB822 = """\
# a comment
Types: deb deb-src
# http://old.example/debian
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main non-free-firmware
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main

Types: deb
Enabled: no
URIs: http://disabled.example/debian
Suites: bookworm
Components: main
"""


def _apt(folder: Path, **files: str) -> Path:
    (folder / "sources.list.d").mkdir()
    for name, text in files.items():
        place = folder if name == "main" else folder / "sources.list.d"
        (place / {"main": "sources.list"}.get(name, name.replace("_", "."))).write_text(text)
    return folder


def test_deb822_is_read_without_what_is_switched_off(tmp_path: Path) -> None:
    sources = read_sources(_apt(tmp_path, debian_sources=DEB822))
    components = ("main", "non-free-firmware")
    assert sources == [
        Source("http://mirror.example/debian", "bookworm", components),
        Source("http://mirror.example/debian", "bookworm-updates", components),
        Source("http://mirror.example/debian-security", "bookworm-security", ("main",)),
    ]
    assert debian_mirror(sources, "bookworm") == "http://mirror.example/debian"


def test_deb822_values_may_go_over_several_lines(tmp_path: Path) -> None:
    text = "Types: deb\nURIs:\n https://mirror.example/debian/\nSuites: trixie\nComponents: main\n"
    assert (
        debian_mirror(read_sources(_apt(tmp_path, debian_sources=text)), "trixie") == "https://mirror.example/debian/"
    )


@pytest.mark.parametrize(
    "line",
    [
        "deb http://mirror.example/debian bookworm main",
        "deb [arch=amd64 signed-by=/usr/share/keyrings/a.gpg] http://mirror.example/debian bookworm main contrib # why",
        "  deb   http://mirror.example/debian   stable   main",
    ],
)
def test_one_line_sources_are_read(tmp_path: Path, line: str) -> None:
    others = "# deb http://commented.example/debian bookworm main\ndeb-src http://src.example/debian bookworm main\n"
    text = f"{others}{line}\n"
    assert debian_mirror(read_sources(_apt(tmp_path, main=text)), "bookworm") == "http://mirror.example/debian"


@pytest.mark.parametrize(
    "uri", ["mirror+file:/etc/apt/mirrors/debian.list", "http://snapshot.example/archive/debian/20260101T000000Z/"]
)
def test_other_kinds_of_mirrors_are_known(tmp_path: Path, uri: str) -> None:
    sources = read_sources(_apt(tmp_path, main=f"deb {uri} trixie main\n"))
    assert debian_mirror(sources, "trixie") == uri


@pytest.mark.parametrize(
    "line",
    [
        "deb http://archive.example/ubuntu noble main",
        "deb https://download.docker.example/linux/debian-x bookworm stable",
        "deb http://mirror.example/debian-security bookworm-security main",
        "deb http://packages.example/vendor bookworm main",
        "deb",
        "",
    ],
)
def test_what_is_not_debians_archive_is_not_taken_for_it(tmp_path: Path, line: str) -> None:
    assert debian_mirror(read_sources(_apt(tmp_path, vendor_list=line + "\n")), "bookworm") is None


def test_a_machine_without_apt_has_no_sources(tmp_path: Path) -> None:
    assert read_sources(tmp_path / "none") == []
