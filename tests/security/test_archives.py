# ruff: noqa: E501 -- what is hostile stays in one piece
"""Hostile zips: each is refused with words that say what to do, and bombs before anything is unpacked."""

import io
import random
import struct
import zipfile

import pytest

from gateway.archives import read_archive
from schemas.archive import pack, unpack, unpack_own
from schemas.digest import revision_digest
from schemas.errors import InvalidInput
from schemas.limits import MAX_ARCHIVE_BYTES, MAX_ARCHIVE_FILES, MAX_UNPACKED_BYTES, MIB, Limits
from tests.security.archives import DEVICE, FIFO, FOLDER, LINK, Entry, make, overlapping, with_main, zip_of

DAMAGED = 3_000
ZEROS = bytes(1 << 20)
ZIP64 = struct.pack("<HHQQ", 1, 16, 100, 1 << 62)

CASES = {
    # Out of the plugin's folder.
    "parent": (with_main(Entry(b"../evil.py")), "a part that is empty, . or .."),
    "parent within": (with_main(Entry(b"a/../../evil.py")), "a part that is empty, . or .."),
    "parent of a folder": (with_main(Entry(b"../evil/")), "a part that is empty, . or .."),
    "parent, left out": (with_main(Entry(b"__pycache__/../../x.pyc")), "a part that is empty, . or .."),
    "here": (with_main(Entry(b"./evil.py")), "a part that is empty, . or .."),
    "empty part": (with_main(Entry(b"a//evil.py")), "a part that is empty, . or .."),
    "empty name": (with_main(Entry(b"")), "a part that is empty"),
    "absolute": (with_main(Entry(b"/etc/passwd")), "begins with /"),
    "drive": (with_main(Entry(b"C:/evil.py")), "has a colon"),
    "stream": (with_main(Entry(b"plugin.py:evil")), "has a colon"),
    "backslash": (with_main(Entry(b"..\\evil.py")), "has a backslash"),
    "share": (with_main(Entry(b"\\\\host\\share\\evil.py")), "has a backslash"),
    # No ordinary files.
    "link": (with_main(Entry(b"data.txt", b"/etc/passwd", mode=LINK)), "is a symbolic link: put a copy"),
    "link to a folder": (with_main(Entry(b"a", b"..", mode=LINK), Entry(b"a/b.py")), "is a symbolic link"),
    "link with a slash": (with_main(Entry(b"a/", b"..", mode=LINK)), "is a symbolic link"),
    "pipe": (with_main(Entry(b"pipe", mode=FIFO)), "is no ordinary file"),
    "device": (with_main(Entry(b"null", mode=DEVICE)), "is no ordinary file"),
    "folder without a slash": (with_main(Entry(b"a", b"x", mode=FOLDER)), "is no ordinary file"),
    "folder with content": (with_main(Entry(b"a/", b"x", mode=FOLDER)), "is a folder with content"),
    # Names.
    "NUL": (with_main(Entry(b"a.py\0.txt")), "can't be seen"),
    "newline": (with_main(Entry(b"a\nb.py")), "can't be seen"),
    "escape": (with_main(Entry(b"\x1b[2J.py")), "can't be seen"),
    "right to left": (with_main(Entry("a\u202eyp.txt".encode())), "can't be seen"),
    "no width": (with_main(Entry("a\u200bb.py".encode())), "can't be seen"),
    "twice": (with_main(Entry(b"plugin.py", b"x = 2\n")), "is in the zip twice"),
    "twice but for case": (with_main(Entry(b"Plugin.py", b"x = 2\n")), "differ in case only"),
    "twice but for case of a folder": (with_main(Entry(b"a/x.py"), Entry(b"A/y.py")), "folders .* differ in case only"),
    "twice but for form": (with_main(Entry("\u00e9.py".encode()), Entry("e\u0301.py".encode())), "differ in case only"),
    "sharp s": (with_main(Entry("straße.py".encode()), Entry(b"STRASSE.py")), "differ in case only"),
    "file and folder": (with_main(Entry(b"a"), Entry(b"a/b.py")), "is a file and a folder"),
    "long": (with_main(Entry(b"a/" * 99 + b"abc")), "the limit is 200"),
    "very long": (with_main(Entry(b"a" * 60_000)), "the limit is 200"),
    "not UTF-8": (with_main(Entry(b"\xff.py")), "broken|not marked"),
    "not marked": (with_main(Entry("é.py".encode(), flags=0)), "is not marked as UTF-8"),
    "another name inside": (with_main(Entry(b"good.py", listed=b"evil.py")), "broken"),
    # Lies.
    "encrypted": (with_main(Entry(b"a.py", b"x", flags=1)), "is encrypted"),
    "strongly encrypted": (with_main(Entry(b"a.py", b"x", flags=65)), "is encrypted"),
    "patched": (with_main(Entry(b"a.py", b"x", flags=32)), "uncommon way"),
    "bzip2": (with_main(Entry(b"a.py", b"x", method=12)), "uncommon way"),
    "lzma": (with_main(Entry(b"a.py", b"x", method=14)), "uncommon way"),
    "unknown method": (with_main(Entry(b"a.py", b"x", method=99)), "uncommon way"),
    "smaller than it is": (with_main(Entry(b"a.txt", b"a" * 100, size=10)), "broken|not as long"),
    "larger than it is": (with_main(Entry(b"a.txt", b"a" * 100, size=1000)), "broken|not as long"),
    "larger than it is, stored": (with_main(Entry(b"a.txt", b"a" * 100, method=0, size=1000)), "broken|not as long"),
    "packed smaller": (with_main(Entry(b"a.txt", b"abc" * 100, packed_size=2)), "broken|not as long"),
    "packed larger": (with_main(Entry(b"a.txt", b"a", packed_size=1 << 20)), "not where the zip says"),
    "wrong checksum": (with_main(Entry(b"a.txt", b"a", crc=7)), "broken"),
    "wrong checksum of nothing": (with_main(Entry(b"a.txt", b"", crc=7)), "broken"),
    "overlapping": (overlapping(), "lies over another entry"),
    "out of the file": (with_main(Entry(b"a.txt", b"a", at=1 << 30)), "lies over another|not where|broken"),
    "in the directory": (with_main(Entry(b"a.txt", b"a", at=90)), "lies over another|not where|broken"),
    "zip64 sizes": (with_main(Entry(b"a.txt", b"a", size=0xFFFFFFFF, packed_size=0xFFFFFFFF, extra=ZIP64)), "not where|unpacks to|broken"),
    "zip64 without sizes": (with_main(Entry(b"a.txt", b"a", size=0xFFFFFFFF, extra=b"\1\0\0\0")), "broken|unpacks to"),
    "extra that ends early": (with_main(Entry(b"a.txt", b"a", extra=b"\1\0\xff\xff")), "broken"),
    "more entries than there are": (make([Entry(b"plugin.py", b"x = 1\n")], count=9), None),
    "no zip": (b"import os\n", "broken"),
    "nothing": (b"", "broken"),
    "only an end": (make([]), "no plugin.py"),
    "cut": (with_main(Entry(b"a.txt", b"a" * 1000))[:-30], "broken"),
    # Bombs.
    "one bomb": (with_main(Entry(b"a.txt", ZEROS * 9)), "unpacks to 9,437,190 bytes, the limit is"),
    "many small bombs": (with_main(*(Entry(b"%d.txt" % n, ZEROS) for n in range(9))), "unpacks to .* bytes, the limit is"),
    "dense": (with_main(Entry(b"a.txt", ZEROS * 2)), "over 200 times its size"),
    "many entries": (make([Entry(b"%d/" % n) for n in range(4001)]), "4,001 entries"),
    "many files": (make([Entry(b"%d.txt" % n) for n in range(MAX_ARCHIVE_FILES + 1)]), "the limit is 1,000"),
    "large": (make([Entry(b"plugin.py", bytes(MAX_ARCHIVE_BYTES), method=0)]), "the limit is 1,000,000 bytes"),
    # No plugins.
    "no main": (zip_of({"main.py": b"x = 1"}), "no plugin.py .or __main__.py.*; there is main.py"),
    "two mains": (zip_of({"plugin.py": b"x = 1", "__main__.py": b"x = 1"}), "both plugin.py and __main__.py"),
    "two folders": (zip_of({"a/plugin.py": b"x = 1", "b/plugin.py": b"x = 1"}), "no plugin.py"),
    "empty main": (zip_of({"plugin.py": b" \n"}), "plugin.py is empty"),
    "main of bytes": (zip_of({"plugin.py": b"\xff\xfe"}), "UTF-8"),
    "extension": (with_main(Entry(b"pkg/fast.cpython-312-x86_64-linux-gnu.so")), "is native code"),
    "extension of Windows": (with_main(Entry(b"fast.PYD")), "is native code"),
    "library": (with_main(Entry(b"lib/libz.so.1.2")), "is native code"),
    "the SDK": (with_main(Entry(b"platform_sdk.py")), "would hide the platform's own module"),
    "the SDK as a package": (with_main(Entry(b"platform_sdk/__init__.py")), "would hide the platform's own"),
    "the transport": (with_main(Entry(b"_wasmforge.py")), "would hide the platform's own module"),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_it_is_refused_in_words(name: str) -> None:
    content, words = CASES[name]
    if words is None:
        assert read_archive(content).source == "x = 1\n"
        return
    with pytest.raises(InvalidInput, match=words) as caught:
        read_archive(content)
    assert len(caught.value.message) < 500
    assert caught.value.message.isprintable()


@pytest.mark.parametrize(
    "name", ["one bomb", "many small bombs", "dense", "overlapping", "link", "parent", "many files"]
)
def test_nothing_is_unpacked_of_what_is_refused_by_its_directory(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def unpacked(*_: object) -> None:
        raise AssertionError("it was unpacked")

    monkeypatch.setattr(zipfile.ZipFile, "open", unpacked)
    with pytest.raises(InvalidInput):
        read_archive(CASES[name][0])


def test_a_bomb_that_lies_about_its_size_is_not_unpacked_beyond_it() -> None:
    """Its directory says 10 bytes of what would be 64 MiB, and no more than these are made."""
    content = with_main(Entry(b"a.txt", ZEROS * 64, size=10))
    assert len(content) < MAX_ARCHIVE_BYTES
    taken: list[int] = []

    class Watched(zipfile.ZipExtFile):
        def read(self, n: int | None = -1) -> bytes:
            data = super().read(n)
            taken.append(len(data))
            return data

    original = zipfile.ZipExtFile
    try:
        zipfile.ZipExtFile = Watched  # type: ignore[misc]
        with pytest.raises(InvalidInput):
            unpack(content)
    finally:
        zipfile.ZipExtFile = original  # type: ignore[misc]
    assert max(taken) <= 11


def test_a_zip_in_a_zip_is_data() -> None:
    inner = zip_of({"bomb.txt": ZEROS * 50})
    assert read_archive(with_main(Entry(b"data.zip", inner, method=0))).files["data.zip"] == inner


def test_what_is_of_no_use_is_left_out_and_one_folder_around_all_is_taken_off() -> None:
    content = zip_of(
        {
            "tool/plugin.py": b"\xef\xbb\xbfx = 1\n",
            "tool/data/a.txt": b"a",
            "tool/__pycache__/plugin.cpython-312.pyc": ZEROS,
            "tool/old.pyc": b"",
            "tool/.git/config": b"secret",
            "tool/.env": b"secret",
            "__MACOSX/tool/._plugin.py": b"",
            "tool/.DS_Store": b"",
        }
    )
    read = read_archive(content)
    assert list(read.files) == ["plugin.py", "data/a.txt"]
    assert read.source == "x = 1\n"
    assert b"secret" not in read.archive


def test_the_digest_depends_on_paths_and_contents_only() -> None:
    files = {"plugin.py": b"x = 1\n", "a/b.txt": b"b" * 1000, "a/a.txt": b""}
    stored = make(
        [Entry(path.encode(), data, method=0, flags=0) for path, data in reversed(files.items())], before=b"#!x\n"
    )
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.mkdir("a")
        for path, data in files.items():
            archive.writestr(path, data)
    reads = [read_archive(content) for content in (zip_of(files), stored, buffer.getvalue(), pack(files))]
    assert len({read.archive for read in reads}) == 1
    digests = {revision_digest(read.source, Limits(), read.files) for read in reads}
    changed = [
        files | {"a/a.txt": b"1"},
        files | {"a/c.txt": b""},
        {"plugin.py": b"x = 1\n"},
        {**files, "a/b.txta": b""},
    ]
    assert len(digests | {revision_digest("x = 1\n", Limits(), other) for other in changed}) == 1 + len(changed)
    assert revision_digest("x = 1\n", Limits()) not in digests


def test_the_largest_plugin_passes() -> None:
    noise = random.Random(1).randbytes(800_000)
    files = {f"{n}.txt": b"%d" % n + b"the same line again and again\n" * 250 for n in range(MAX_ARCHIVE_FILES - 2)}
    files |= {"plugin.py": b"x = 1\n", "noise.bin": noise}
    content = pack(files)
    assert len(content) <= MAX_ARCHIVE_BYTES
    assert MAX_UNPACKED_BYTES - MIB < sum(map(len, files.values())) <= MAX_UNPACKED_BYTES
    read = read_archive(content)
    assert unpack_own(read.archive) == files


def test_any_damage_is_refused_in_words() -> None:
    """Bytes of a good zip changed, cut and doubled: it is read, or refused in words, and nothing else ever happens."""
    chance = random.Random(20)
    good = make(
        [Entry(b"plugin.py", b"x = 1\n" * 50), Entry(b"a/b.txt", b"b" * 300, method=0), Entry("ü/c".encode(), b"c")]
    )
    outcomes = set()
    for _ in range(DAMAGED):
        damaged = bytearray(good)
        for _ in range(chance.choice((1, 1, 2, 5))):
            at = chance.randrange(len(damaged))
            kind = chance.randrange(4)
            if kind == 0:
                damaged[at] ^= 1 << chance.randrange(8)
            elif kind == 1:
                damaged[at] = chance.choice((0, 0xFF, 0x2F, 0x2E, 0x5C))
            elif kind == 2:
                damaged[at : at + 4] = struct.pack("<I", chance.choice((0, 1, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF)))
            else:
                damaged[at : at + chance.randrange(40)] = good[at : at + chance.randrange(40)]
        try:
            read_archive(bytes(damaged))
            outcomes.add("read")
        except InvalidInput as error:
            outcomes.add("refused" if error.message.isprintable() else error.message)
    assert outcomes == {"read", "refused"}
