"""Addresses as people write them."""

import pytest

from schemas.errors import InvalidInput
from sdk.address import Settings, base_url


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("127.0.0.1:8000", "http://127.0.0.1:8000"),
        (":9000", "http://127.0.0.1:9000"),
        ("0.0.0.0:8000", "http://127.0.0.1:8000"),
        ("[::]:8000", "http://[::1]:8000"),
        ("wasmforge.example", "http://wasmforge.example"),
        ("https://wasmforge.example/forge/", "https://wasmforge.example/forge"),
        (" http://host:1?q#f ", "http://host:1"),
    ],
)
def test_what_is_understood(address: str, url: str) -> None:
    assert base_url(address) == url


@pytest.mark.parametrize("address", ["", "ftp://host", "http://", "host:notaport", "http://host:99999999"])
def test_what_is_not(address: str) -> None:
    with pytest.raises(InvalidInput, match="is not an address"):
        base_url(address)


def test_settings() -> None:
    assert Settings.read({}).url == "http://127.0.0.1:8000"
    assert Settings.read({"WASMFORGE_HTTP": ""}).url == "http://127.0.0.1:8000"
    assert Settings.read({"WASMFORGE_HTTP": "0.0.0.0:81"}).url == "http://127.0.0.1:81"
