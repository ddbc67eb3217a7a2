"""Forms from outside: broken, hostile, or merely unusual."""

import pytest

from gateway.forms import Form, MissingField, parse_form
from schemas.errors import InvalidInput

MULTIPART = "multipart/form-data; boundary=b"


def part(disposition: str, content: str = "x", more: str = "") -> str:
    return f"--b\r\nContent-Disposition: {disposition}\r\n{more}\r\n{content}\r\n"


def test_fields_and_files() -> None:
    body = (
        part('form-data; name="a"', "eins\r\nzwei")
        + part('form-data; name="file"; filename="ü.py"', "v = 1\n", "Content-Type: text/x-python\r\n")
        + part('form-data; name="empty"', "")
        + "--b--\r\n"
    )
    form = parse_form(MULTIPART, body.encode())
    assert form.fields == {"a": b"eins\r\nzwei", "empty": b""}
    assert form.files == {"file": ("ü.py", b"v = 1\n")}


def test_urlencoded() -> None:
    form = parse_form("application/x-www-form-urlencoded; charset=utf-8", b"a=1+2%2B3&b=&c&&d=%zz&a=last")
    assert form.fields == {"a": b"last", "b": b"", "c": b"", "d": b"%zz"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no boundary at all",
        part('form-data; name="a"').encode(),
        part('form-data; name="file"; filename="a.py"', "cut off").encode() + b"--b",
        part('form-data; filename="a.py"').encode() + b"--b--\r\n",
        part("attachment").encode() + b"--b--\r\n",
        b"--b\r\n\r\nno headers\r\n--b--\r\n",
        b"--b\r\nContent-Disposition form-data\r\n\r\nx\r\n--b--\r\n",
        b"--b\r\n" + b"X: y\r\n" * 10_000 + b"\r\nx\r\n--b--\r\n",
        b"--b\r\nX: " + b"y" * 1_000_000 + b"\r\n\r\nx\r\n--b--\r\n",
        b"\0" * 1000,
        "".join(part(f'form-data; name="f{number}"') for number in range(100)).encode() + b"--b--\r\n",
        part(f'form-data; name="{"n" * 200}"').encode() + b"--b--\r\n",
        part('form-data; name="a"', "!", "Content-Transfer-Encoding: base64\r\n").encode() + b"--b--\r\n",
    ],
)
def test_broken_multipart_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse_form(MULTIPART, body)
    assert str(refused.value)


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "application/json",
        "multipart/form-data",
        "multipart/form-data; boundary=",
        "multipart/mixed; boundary=b",
        ";;;",
        "multipart/form-data; boundary=" + "b" * 5000,
        "multipart/form-data; boundary=\xff",
    ],
)
def test_other_kinds_are_refused(content_type: str) -> None:
    with pytest.raises(InvalidInput):
        parse_form(content_type, b"--b--\r\n")


def test_too_many_urlencoded_fields() -> None:
    with pytest.raises(InvalidInput, match="more than 32 fields"):
        parse_form("application/x-www-form-urlencoded", b"a=1&" * 1000)


def test_text_of_a_field() -> None:
    form = Form(fields={"good": "ü".encode(), "bad": b"ab\xff", "nul": b"a\0b"})
    assert form.text("good") == "ü"
    assert form.text("missing", "default") == "default"
    with pytest.raises(MissingField):
        form.text("missing")
    with pytest.raises(InvalidInput, match=r"the form field bad is not UTF-8: byte 2 is 0xff"):
        form.text("bad")
    with pytest.raises(InvalidInput, match="NUL character at position 1"):
        form.text("nul")
