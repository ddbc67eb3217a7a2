"""Every subject of the platform, asked by a plain NATS client with plain JSON, as a program in any language would."""

import asyncio
import hashlib
import json
from typing import Any

import httpx
import nats.errors
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from tests.e2e.plugins import ASK, UPPER, call, deploy


async def ask(nc: Client, subject: str, question: object = None) -> Any:
    body = b"" if question is None else json.dumps(question).encode()
    reply = await nc.request(subject, body, timeout=30)
    assert reply.headers is None or "Nats-Service-Error" not in reply.headers, reply.headers
    return json.loads(reply.data)


async def refused(nc: Client, subject: str, body: bytes = b"") -> tuple[str, str]:
    """Error type and ADR-32's code of an answer that must be an error."""
    reply = await nc.request(subject, body, timeout=30)
    assert reply.headers is not None
    assert reply.headers["Nats-Service-Error"]
    return reply.headers["Wasmforge-Error-Type"], reply.headers["Nats-Service-Error-Code"]


class Heard:
    """Messages on a subject, as they come."""

    def __init__(self) -> None:
        self.messages: asyncio.Queue[Msg] = asyncio.Queue()

    async def hear(self, msg: Msg) -> None:
        await self.messages.put(msg)

    async def next(self) -> Any:
        return json.loads((await asyncio.wait_for(self.messages.get(), 10)).data)


async def test_source_of_a_plugin(http: httpx.AsyncClient, nc: Client) -> None:
    old = await deploy(http, "subj-source", UPPER)
    new = await deploy(http, "subj-source", UPPER + "# new\n")
    found = await ask(nc, "wasmforge.plugins.get.subj-source")
    assert (found["name"], found["digest"], found["source"]) == ("subj-source", new["revision"], UPPER + "# new\n")
    assert found["limits"] == new["limits"]
    limits = json.dumps(found["limits"], separators=(",", ":"))
    assert hashlib.sha256(found["source"].encode() + b"\0" + limits.encode()).hexdigest() == found["digest"]
    pinned = await ask(nc, "wasmforge.plugins.get.subj-source", {"revision": old["revision"]})
    assert (pinned["digest"], pinned["source"]) == (old["revision"], UPPER)
    assert await refused(nc, "wasmforge.plugins.get.nobody") == ("not_found", "404")
    assert await refused(nc, "wasmforge.plugins.get.subj-source", b"no json") == ("invalid_input", "400")
    assert await refused(nc, "wasmforge.plugins.get.-bad") == ("invalid_input", "400")


async def test_models(nc: Client) -> None:
    found = await ask(nc, "wasmforge.ai.models")
    assert found["connected"] is True
    names = {model["name"]: model for model in found["models"]}
    assert names["qwen2.5:1.5b"]["available"] is True
    # The embedded model answers for it, and that is said.
    assert names["qwen2.5:1.5b"]["answered_by"] in found["server_models"]


async def test_generate(nc: Client) -> None:
    question = {"model": "qwen2.5:1.5b", "prompt": "Say hello.", "options": {"num_predict": 8, "temperature": 0}}
    found = await ask(nc, "wasmforge.ai.generate", question)
    assert found["model"] == "qwen2.5:1.5b"
    assert found["response"].strip()
    assert 0 < found["output_tokens"] <= 8
    assert found["duration_us"] > 0
    for body in (b"", b"no json", b'{"model": "none", "prompt": "x"}', b'{"model": "qwen2.5:1.5b", "prompt": ""}'):
        error_type, code = await refused(nc, "wasmforge.ai.generate", body)
        assert (error_type, code) in {("ai_error", "502"), ("invalid_input", "400")}


async def test_a_check_compiles_and_runs_nothing(nc: Client) -> None:
    assert (await ask(nc, "wasmforge.sandbox.check", {"source": "while True: pass\n"}))["ok"] is True
    found = await ask(nc, "wasmforge.sandbox.check", {"source": "x =\n"})
    assert (found["ok"], found["line"], found["column"]) == (False, 1, 4)
    assert await refused(nc, "wasmforge.sandbox.check", b"no json") == ("invalid_input", "400")


async def test_events_of_plugins(http: httpx.AsyncClient, nc: Client) -> None:
    heard = Heard()
    subscription = await nc.subscribe("wasmforge.events.plugin.subj-event", cb=heard.hear)
    await nc.flush()
    uploaded = await deploy(http, "subj-event", UPPER)
    event = await heard.next()
    assert (event["name"], event["change"], event["digest"]) == ("subj-event", "deployed", uploaded["revision"])
    await http.delete("/api/plugins/subj-event")
    event = await heard.next()
    assert (event["name"], event["change"]) == ("subj-event", "deleted")
    await subscription.unsubscribe()


async def test_events_of_executions(http: httpx.AsyncClient, nc: Client) -> None:
    heard = Heard()
    subscription = await nc.subscribe("wasmforge.events.execution.subj-run", cb=heard.hear)
    await nc.flush()
    uploaded = await deploy(http, "subj-run", "print('to the log')\n" + ASK)
    reply = await call(http, "subj-run", "Say hello.", caller="somebody")
    assert reply.status_code == 200, reply.text
    event = await heard.next()
    assert event["execution_id"] == reply.headers["wasmforge-execution-id"]
    assert event["executor"] == reply.headers["wasmforge-executor"]
    assert (event["plugin"], event["success"], event["caller"]) == ("subj-run", True, "somebody")
    assert (event["revision"], event["log"]) == (uploaded["revision"], "to the log\n")
    assert (event["input_bytes"], event["output_bytes"], event["ai_calls"]) == (10, len(reply.content), 1)
    assert 0 < event["phases_us"]["ai_wait"] <= event["phases_us"]["run"]
    assert event["cpu_us"] > 0
    assert event["peak_memory_bytes"] > 1_000_000

    await deploy(http, "subj-run", "raise ValueError('no')\n")
    failed = await call(http, "subj-run")
    event = await heard.next()
    assert event["execution_id"] == failed.headers["wasmforge-execution-id"]
    assert (event["success"], event["error_type"]) == (False, "plugin_error")
    assert "ValueError: no" in event["error"]
    await subscription.unsubscribe()


async def test_services_are_found_as_adr_32_says(http: httpx.AsyncClient, nc: Client) -> None:
    await deploy(http, "subj-stats", UPPER)
    await call(http, "subj-stats", "x")
    inbox = nc.new_inbox()
    subscription = await nc.subscribe(inbox)
    await nc.publish("$SRV.STATS", reply=inbox)
    found: dict[str, list[dict[str, Any]]] = {}
    while {name: len(services) for name, services in found.items()} != {
        "wasmforge-broker": 1,
        "wasmforge-executor": 2,
        "wasmforge-gateway": 1,
    }:
        service = json.loads((await subscription.next_msg(timeout=10)).data)
        assert service["type"] == "io.nats.micro.v1.stats_response"
        found.setdefault(service["name"], []).append(service)
    endpoints = [endpoint for service in found["wasmforge-executor"] for endpoint in service["endpoints"]]
    assert sum(endpoint["num_requests"] for endpoint in endpoints if endpoint["subject"] == "wasmforge.fn.*") >= 1
    await subscription.unsubscribe()
    info = await ask(nc, "$SRV.INFO.wasmforge-broker")
    assert {endpoint["subject"] for endpoint in info["endpoints"]} == {
        f"wasmforge.ai.{operation}" for operation in ("generate", "chat", "embed", "models", "usage")
    }


async def test_nobody_listens_where_nothing_is(nc: Client) -> None:
    for subject in ("wasmforge.fn", "wasmforge.fn.a.b", "wasmforge.ai.none", "wasmforge.plugins.put.x"):
        with pytest.raises(nats.errors.NoRespondersError):
            await nc.request(subject, b"", timeout=5)
