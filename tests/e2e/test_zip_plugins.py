"""A folder becomes a plugin: by the command line, checked in the sandbox, called by HTTP and NATS, refused in words."""

from pathlib import Path

import httpx
from nats.aio.client import Client

from tests.e2e.plugins import call
from tests.e2e.test_main_flow import cli
from tests.security.archives import LINK, Entry, with_main, zip_of
from tests.support.platform import Platform

FILES = {
    "plugin.py": '"""Greets."""\nfrom greetings.words import greet\nfrom platform_sdk import get_input, send_output\n\n'
    "send_output(greet(get_input()))\n",
    "greetings/__init__.py": "",
    "greetings/words.py": "import json\n\n\ndef greet(name):\n    with open('data/words.json') as file:\n"
    "        return f\"{json.load(file)['hello']}, {name}!\"\n",
    "data/words.json": '{"hello": "Grüß dich"}',
}


def folder(root: Path, files: dict[str, str]) -> Path:
    """A folder of these files."""
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


async def test_a_folder_from_deploy_to_call(
    stack: Platform, http: httpx.AsyncClient, nc: Client, tmp_path: Path
) -> None:
    place = folder(tmp_path / "greeter", FILES)
    code, _, err = await cli(stack, "deploy", str(place))
    assert (code, err) == (0, b""), err
    assert (await call(http, "greeter", "Anna")).text == "Grüß dich, Anna!"
    assert (await nc.request("wasmforge.fn.greeter", b"Bert", timeout=10)).data.decode() == "Grüß dich, Bert!"
    shown = (await http.get("/api/plugins/greeter/code")).json()
    assert (shown["description"], shown["code"]) == ("Greets.", FILES["plugin.py"])
    assert [file["path"] for file in shown["files"]] == sorted(FILES)
    zipped = zip_of({f"any/{path}": text.encode() for path, text in FILES.items()})
    reply = await http.post("/api/plugins/upload", files={"file": ("greeter.zip", zipped)})
    assert reply.json()["revision"] == shown["revision"], "the same files are the same revision"
    folder(place, {"data/words.json": '{"hello": "Moin"}'})
    assert (await cli(stack, "deploy", str(place)))[0] == 0
    assert (await call(http, "greeter", "Anna")).text == "Moin, Anna!"
    older = await call(http, "greeter", "Anna", revision=shown["revision"])
    assert older.text == "Grüß dich, Anna!"


async def test_what_can_not_work_is_told_with_its_file_and_line(stack: Platform, tmp_path: Path) -> None:
    place = folder(tmp_path / "broken", FILES | {"greetings/words.py": "x = 1\nimport numpy\n"})
    code, out, err = await cli(stack, "deploy", str(place))
    assert (code, out) == (2, b"")
    assert err.decode().startswith(
        f"wasmforge: {place}/greetings/words.py:2:8: there is no module 'numpy' in the sandbox"
    )


async def test_a_hostile_zip_is_refused_at_the_edge(http: httpx.AsyncClient) -> None:
    hostile = with_main(Entry(b"data", b"/etc", mode=LINK))
    reply = await http.post("/api/plugins/upload", files={"file": ("hostile.zip", hostile)})
    assert reply.status_code == 400
    assert reply.json() == {"detail": "'data' is a symbolic link: put a copy of the file in its place"}
