"""What is deployed is what the very next call runs; a revision can be pinned; what is deleted is gone at once."""

import asyncio

import httpx
from nats.aio.client import Client

from tests.e2e.plugins import assert_problem, call, deploy


def says(number: int) -> str:
    return f"from platform_sdk import send_output\nsend_output('revision {number}')\n"


async def test_the_next_call_runs_what_was_deployed(http: httpx.AsyncClient, nc: Client) -> None:
    # Calls before each deployment, so that both executors have the old one in memory.
    for number in range(12):
        uploaded = await deploy(http, "rev-next", says(number))
        replies = await asyncio.gather(*(call(http, "rev-next") for _ in range(4)))
        assert [reply.text for reply in replies] == [f"revision {number}"] * 4
        assert {reply.headers["wasmforge-revision"] for reply in replies} == {uploaded["revision"]}
        assert (await nc.request("wasmforge.fn.rev-next", b"", timeout=10)).data == f"revision {number}".encode()


async def test_under_load_no_call_sees_an_older_one(http: httpx.AsyncClient) -> None:
    deployed = 0
    stop = False
    calls = 0

    async def caller() -> None:
        nonlocal calls
        while not stop:
            before = deployed
            reply = await call(http, "rev-load")
            assert reply.status_code == 200
            assert int(reply.text.split()[1]) >= before, f"{reply.text} after {before} was deployed"
            calls += 1

    await deploy(http, "rev-load", says(0))
    callers = [asyncio.create_task(caller()) for _ in range(6)]
    for number in range(1, 10):
        await deploy(http, "rev-load", says(number))
        deployed = number
    stop = True
    await asyncio.gather(*callers)
    assert calls > 10


async def test_a_revision_can_be_pinned(http: httpx.AsyncClient, nc: Client) -> None:
    old = (await deploy(http, "rev-pin", says(1)))["revision"]
    new = (await deploy(http, "rev-pin", says(2)))["revision"]
    assert old != new
    for _ in range(3):
        assert (await call(http, "rev-pin", revision=old)).text == "revision 1"
        assert (await call(http, "rev-pin")).text == "revision 2"
    pinned = await nc.request("wasmforge.fn.rev-pin", b"", timeout=10, headers={"Wasmforge-Revision": old})
    assert pinned.data == b"revision 1"
    assert_problem(await call(http, "rev-pin", revision="f" * 64), 404, "not_found", "rev-pin")
    # Another plugin's revision is not this one's.
    await deploy(http, "rev-other", says(3))
    assert_problem(await call(http, "rev-other", revision=old), 404, "not_found")


async def test_the_same_source_again_is_the_same_revision(http: httpx.AsyncClient) -> None:
    first = await deploy(http, "rev-same", says(1))
    await deploy(http, "rev-same", says(2))
    assert (await deploy(http, "rev-same", says(1)))["revision"] == first["revision"]
    assert (await call(http, "rev-same")).text == "revision 1"
    other_limits = await deploy(http, "rev-same", says(1), timeout_ms=5000)
    assert other_limits["revision"] != first["revision"]
    assert other_limits["limits"]["timeout_ms"] == 5000


async def test_what_is_deleted_is_gone_for_the_next_call(http: httpx.AsyncClient, nc: Client) -> None:
    for number in range(6):
        revision = (await deploy(http, "rev-gone", says(number)))["revision"]
        await asyncio.gather(*(call(http, "rev-gone") for _ in range(4)))
        assert (await http.delete("/api/plugins/rev-gone")).status_code == 200
        for reply in await asyncio.gather(*(call(http, "rev-gone") for _ in range(4))):
            assert_problem(reply, 404, "not_found")
        assert_problem(await call(http, "rev-gone", revision=revision), 404, "not_found")
        told = await nc.request("wasmforge.fn.rev-gone", b"", timeout=10)
        assert told.headers is not None
        assert told.headers["Wasmforge-Error-Type"] == "not_found"
        assert (await http.delete("/api/plugins/rev-gone")).status_code == 404
