"""Upload, list, code, delete: the original's shapes, and revisions that never change."""

import asyncio
import re
import zlib
from typing import Any

import asyncpg
import httpx
import msgspec
import nats
import pytest

from schemas import headers, subjects
from schemas.archive import pack
from schemas.digest import revision_digest
from schemas.limits import Limits
from schemas.messages import CheckReply, PluginChanged, PluginQuery, PluginRevision
from tests.gateway.conftest import Running
from tests.gateway.scripted import Executor
from tests.security.archives import zip_of
from tests.security.test_archives import CASES

SOURCE = "from platform_sdk import call_ai\ncall_ai('m', 'a')\ncall_ai('m', 'b')\n"


async def upload(
    gateway: Running, source: str | bytes = SOURCE, file_name: str = "summarize.py", **fields: str
) -> httpx.Response:
    content = source if isinstance(source, bytes) else source.encode()
    return await gateway.http.post("/api/plugins/upload", files={"file": (file_name, content)}, data=fields)


async def test_upload_answers_in_the_original_shape(gateway: Running, executor: Executor) -> None:
    reply = await upload(gateway, description="Kürzt", input_type="json", input_hint="a text")
    assert reply.status_code == 200, reply.text
    assert reply.json() == {
        "status": "uploaded",
        "name": "summarize",
        "code": SOURCE,
        "description": "Kürzt",
        "input_type": "json",
        "input_hint": "a text",
        "calls": 2,
        "model_calls": 2,
        "revision": revision_digest(SOURCE, Limits()),
        "limits": msgspec.to_builtins(Limits()),
        "files": [listed_as("plugin.py", SOURCE.encode())],
    }
    assert executor.checked == [SOURCE]


async def test_code_list_and_delete(gateway: Running, executor: Executor) -> None:
    await upload(gateway, "print(1)", "first.py")
    await upload(gateway, SOURCE, "second.py", description="d", input_type="file", input_hint="h")
    listed = (await gateway.http.get("/api/plugins/list")).json()
    assert [plugin["name"] for plugin in listed] == ["second", "first"]
    assert [(plugin["calls"], plugin["model_calls"]) for plugin in listed] == [(2, 2), (1, 0)]
    original = {key: listed[0][key] for key in ("name", "description", "input_type", "input_hint", "calls")}
    assert original == {"name": "second", "description": "d", "input_type": "file", "input_hint": "h", "calls": 2}
    code = (await gateway.http.get("/api/plugins/second/code")).json()
    assert {key: code[key] for key in ("name", "code", "description", "input_type", "input_hint")} == {
        "name": "second",
        "code": SOURCE,
        "description": "d",
        "input_type": "file",
        "input_hint": "h",
    }
    reply = await gateway.http.delete("/api/plugins/second")
    assert (reply.status_code, reply.json()) == (200, {"status": "deleted", "name": "second"})
    assert [plugin["name"] for plugin in (await gateway.http.get("/api/plugins/list")).json()] == ["first"]


async def test_an_empty_list(gateway: Running) -> None:
    reply = await gateway.http.get("/api/plugins/list")
    assert (reply.status_code, reply.json()) == (200, [])


@pytest.mark.parametrize("name", ["unknown", "a.b", "a%20b", "%2e%2e", "a" * 65, "%00"])
async def test_unknown_plugins_are_not_found(gateway: Running, name: str) -> None:
    for reply in (
        await gateway.http.get(f"/api/plugins/{name}/code"),
        await gateway.http.delete(f"/api/plugins/{name}"),
    ):
        assert reply.status_code == 404
        assert list(reply.json()) == ["detail"]


async def test_executors_are_told_before_the_answer(gateway: Running, executor: Executor) -> None:
    reply = await upload(gateway)
    subject, body = await asyncio.wait_for(executor.events.get(), 5)
    change = msgspec.json.decode(body, type=PluginChanged)
    assert subject == "wasmforge.events.plugin.summarize"
    assert (change.name, change.change, change.digest) == ("summarize", "deployed", reply.json()["revision"])
    assert change.time.endswith("Z")
    await gateway.http.delete("/api/plugins/summarize")
    _, body = await asyncio.wait_for(executor.events.get(), 5)
    assert msgspec.json.decode(body, type=PluginChanged).change == "deleted"


async def test_a_known_name_gets_a_new_revision_and_old_ones_stay(gateway: Running, executor: Executor) -> None:
    first = (await upload(gateway, "v = 1")).json()["revision"]
    second = (await upload(gateway, "v = 2", description="two")).json()["revision"]
    again = (await upload(gateway, "v = 1", description="one again")).json()["revision"]
    assert again == first != second
    code = (await gateway.http.get("/api/plugins/summarize/code")).json()
    assert (code["code"], code["description"], code["revision"]) == ("v = 1", "one again", first)
    connection = await asyncpg.connect(gateway.settings.database)
    rows = await connection.fetch("SELECT digest, number, source FROM revisions ORDER BY number")
    await connection.close()
    assert [tuple(row) for row in rows] == [(first, 1, "v = 1"), (second, 2, "v = 2")]


async def test_the_same_source_with_other_limits_is_another_revision(gateway: Running, executor: Executor) -> None:
    first = (await upload(gateway)).json()
    second = (await upload(gateway, limits='{"timeout_ms": 1000}')).json()
    assert first["revision"] != second["revision"]
    assert second["limits"]["timeout_ms"] == 1000


async def test_concurrent_uploads_and_deletes_of_one_name(gateway: Running, executor: Executor) -> None:
    sources = [f"v = {number % 7}" for number in range(40)]
    replies = await asyncio.gather(
        *(upload(gateway, source) for source in sources),
        *(gateway.http.delete("/api/plugins/summarize") for _ in range(10)),
    )
    assert {reply.status_code for reply in replies[:40]} == {200}
    assert {reply.status_code for reply in replies[40:]} <= {200, 404}
    assert (await upload(gateway, "v = 99")).status_code == 200
    assert (await gateway.http.get("/api/plugins/summarize/code")).json()["code"] == "v = 99"


@pytest.mark.parametrize(
    ("file_name", "name"),
    [
        ("plugin.py", "plugin"),
        ("/home/me/plugin.py", "plugin"),
        ("C:\\Users\\me\\plugin.py", "plugin"),
        ("../../etc/plugin.py", "plugin"),
    ],
)
async def test_the_file_name_is_the_plugin_name(
    gateway: Running, executor: Executor, file_name: str, name: str
) -> None:
    assert (await upload(gateway, file_name=file_name)).json()["name"] == name


async def test_a_name_of_its_own(gateway: Running, executor: Executor) -> None:
    assert (await upload(gateway, name="other-name")).json()["name"] == "other-name"


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"file_name": "plugin.txt"}, ".py"),
    ({"file_name": "plugin"}, ".py"),
    ({"file_name": ".py"}, "can't be a plugin's name"),
    ({"file_name": "a b.py"}, "can't be a plugin's name"),
    ({"file_name": "a.b.py"}, "can't be a plugin's name"),
    ({"name": "a/b"}, "can't be a plugin's name"),
    ({"name": "x" * 65}, "can't be a plugin's name"),
    ({"source": ""}, "empty"),
    ({"source": " \n\t"}, "empty"),
    ({"source": b"\xff\xfe\x00"}, "not UTF-8"),
    ({"source": "a\0b"}, "NUL"),
    ({"source": "#" * 1_000_001}, "the limit is 1,000,000 bytes"),
    ({"source": "#" * 3_000_000}, "1,000,000 bytes"),
    ({"input_type": "image"}, "text, file, json"),
    ({"input_type": ""}, "text, file, json"),
    ({"description": "x" * 10_001}, "the limit is 10,000"),
    ({"input_hint": "x" * 1_001}, "the limit is 1,000"),
    ({"description": "a\0b"}, "NUL"),
    ({"limits": "nonsense"}, "JSON object"),
    ({"limits": "[]"}, "JSON object"),
    ({"limits": '{"speed": 1}'}, "unknown field"),
    ({"limits": '{"timeout_ms": 0}'}, "at least 1"),
    ({"limits": '{"timeout_ms": 600001}'}, "600,000"),
    ({"limits": '{"memory_bytes": 1}'}, "are needed"),
    ({"limits": '{"timeout_ms": 1' + "0" * 5000 + "}"}, "limits"),
]


@pytest.mark.parametrize(("given", "said"), REFUSED, ids=[said + str(n) for n, (_, said) in enumerate(REFUSED)])
async def test_what_is_refused_at_upload(calls: Running, executor: Executor, given: dict[str, Any], said: str) -> None:
    reply = await upload(calls, **given)
    assert reply.status_code == 400, reply.text
    assert list(reply.json()) == ["detail"]
    assert said in reply.json()["detail"]
    assert not executor.checked


async def test_a_source_of_exactly_the_limit(gateway: Running, executor: Executor) -> None:
    assert (await upload(gateway, "#" * 1_000_000)).status_code == 200


async def test_a_byte_order_mark_is_no_part_of_the_source(gateway: Running, executor: Executor) -> None:
    assert (await upload(gateway, b"\xef\xbb\xbfv = 1")).json()["code"] == "v = 1"


async def test_a_source_that_does_not_compile(gateway: Running, executor: Executor) -> None:
    executor.verdict = CheckReply(False, "invalid syntax", 3, 7)
    reply = await upload(gateway)
    assert (reply.status_code, reply.json()) == (400, {"detail": "line 3, column 7: invalid syntax"})
    executor.verdict = CheckReply(False, "too deeply nested")
    assert (await upload(gateway)).json() == {"detail": "too deeply nested"}
    assert (await gateway.http.get("/api/plugins/list")).json() == []


async def test_without_an_executor_nothing_is_taken_in(gateway: Running) -> None:
    reply = await upload(gateway)
    assert reply.status_code == 503
    assert "no executor is running" in reply.json()["detail"]
    assert (await gateway.http.get("/api/plugins/list")).json() == []


async def test_a_missing_file(calls: Running) -> None:
    reply = await calls.http.post("/api/plugins/upload", files={"other": ("a.py", b"x")})
    assert reply.status_code == 422
    assert "field file is missing" in reply.json()["detail"]
    reply = await calls.http.post("/api/plugins/upload", files={"file": (None, b"x")})
    assert reply.status_code == 422
    assert "must be a file" in reply.json()["detail"]


async def test_an_upload_over_the_limit_is_refused_before_it_is_read(calls: Running) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", calls.port)
    writer.write(
        b"POST /api/plugins/upload HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n"
        b"Content-Type: multipart/form-data; boundary=b\r\n\r\n"
    )
    assert (await reader.readline()).startswith(b"HTTP/1.1 400 ")
    writer.close()
    await writer.wait_closed()


async def test_executors_get_the_source_over_nats(gateway: Running, executor: Executor, own_nats_url: str) -> None:
    first = (await upload(gateway, "v = 1", limits='{"ai_calls": 3}')).json()["revision"]
    second = (await upload(gateway, "v = 2")).json()["revision"]
    client = await nats.connect(own_nats_url)

    async def get(name: str, query: bytes = b"") -> Any:
        return await client.request(f"wasmforge.plugins.get.{name}", query, timeout=5)

    current = msgspec.json.decode((await get("summarize")).data, type=PluginRevision)
    assert current == PluginRevision("summarize", second, "v = 2", Limits())
    named = await get("summarize", msgspec.json.encode(PluginQuery(revision=first)))
    assert msgspec.json.decode(named.data, type=PluginRevision) == PluginRevision(
        "summarize", first, "v = 1", Limits(ai_calls=3)
    )
    for name, query, kind in (
        ("unknown", b"", "not_found"),
        ("summarize", msgspec.json.encode(PluginQuery(revision="0" * 64)), "not_found"),
        ("summarize", b'{"revision": "\\u0000"}', "not_found"),
        ("summarize", b"{broken", "invalid_input"),
        ("b ad".replace(" ", "%"), b"", "invalid_input"),
    ):
        reply = await get(name, query)
        assert reply.headers is not None
        assert reply.headers[headers.ERROR_TYPE] == kind, (name, query)
        assert reply.data
    await client.close()


FILES = {
    "plugin.py": b"import part\ncall_ai('m', 'a')\n",
    "part.py": b"from platform_sdk import *\ncall_ai(\ncall_ai(\nchat(\n",
    "data/a.txt": b"a" * 5000,
}


def listed_as(path: str, data: bytes) -> dict[str, object]:
    return {"path": path, "bytes": len(data), "checksum": f"{zlib.crc32(data):08x}"}


async def test_a_zip_is_stored_and_handed_to_executors_whole(
    gateway: Running, executor: Executor, own_nats_url: str
) -> None:
    listed = [listed_as(path, data) for path, data in sorted(FILES.items())]
    reply = await upload(gateway, zip_of({f"folder/{path}": data for path, data in FILES.items()}), "Tool.ZIP")
    assert reply.status_code == 200, reply.text
    uploaded = reply.json()
    assert (uploaded["name"], uploaded["code"], uploaded["calls"]) == ("Tool", FILES["plugin.py"].decode(), 3)
    assert (uploaded["files"], uploaded["model_calls"]) == (listed, 3)
    assert uploaded["revision"] == revision_digest(uploaded["code"], Limits(), FILES)
    assert (await upload(gateway, pack(FILES), "Tool.zip")).json()["revision"] == uploaded["revision"]
    code = (await gateway.http.get("/api/plugins/Tool/code")).json()
    assert (code["code"], code["files"], code["revision"]) == (uploaded["code"], listed, uploaded["revision"])
    assert code["model_calls"] == 3
    client = await nats.connect(own_nats_url)
    for query in (b"", msgspec.json.encode(PluginQuery(revision=uploaded["revision"]))):
        got = await client.request("wasmforge.plugins.get.Tool", query, timeout=5)
        revision = msgspec.json.decode(got.data, type=PluginRevision)
        assert (revision.digest, revision.archive) == (uploaded["revision"], pack(FILES))
    await client.close()
    single = (await upload(gateway, FILES["plugin.py"], "Tool.py")).json()
    assert single["revision"] != uploaded["revision"]
    assert single["files"] == [listed_as("plugin.py", FILES["plugin.py"])]
    revision = (await gateway.http.get(f"/api/plugins/Tool/revisions/{uploaded['revision']}")).json()
    assert (revision["code"], revision["files"]) == (uploaded["code"], listed)


@pytest.mark.parametrize(
    "case", ["parent", "link", "one bomb", "encrypted", "no zip", "extension", "two mains", "large"]
)
async def test_a_hostile_zip_is_refused_and_nothing_is_stored(gateway: Running, executor: Executor, case: str) -> None:
    content, words = CASES[case]
    assert words is not None
    reply = await upload(gateway, content, "evil.zip")
    assert reply.status_code == 400
    assert re.search(words, reply.json()["detail"])
    assert executor.checked == []
    assert (await gateway.http.get("/api/plugins/list")).json() == []


async def test_what_a_check_finds_in_a_file_of_a_zip_is_told_with_its_path(
    gateway: Running, executor: Executor
) -> None:
    executor.verdict = CheckReply(False, "no such thing", 3, 7, file="lib/part.py")
    reply = await upload(gateway, pack(FILES), "tool.zip")
    assert (reply.status_code, reply.json()["detail"]) == (400, "lib/part.py, line 3, column 7: no such thing")
    executor.verdict = CheckReply(False, "too deep", file="lib/part.py")
    assert (await upload(gateway, pack(FILES), "tool.zip")).json()["detail"] == "lib/part.py: too deep"


async def test_a_zip_under_the_name_of_a_source_is_refused(gateway: Running, executor: Executor) -> None:
    reply = await upload(gateway, pack({"plugin.py": b"x", "noise": bytes(range(256))}), "tool.py")
    assert reply.status_code == 400
    assert "the source" in reply.json()["detail"]


async def test_the_gateway_is_found_as_a_micro_service(gateway: Running, own_nats_url: str) -> None:
    client = await nats.connect(own_nats_url)
    reply = await client.request("$SRV.INFO.wasmforge-gateway", b"", timeout=5)
    info = msgspec.json.decode(reply.data)
    assert info["name"] == "wasmforge-gateway"
    assert subjects.PLUGIN_SOURCES in [endpoint["subject"] for endpoint in info["endpoints"]]
    await client.close()
