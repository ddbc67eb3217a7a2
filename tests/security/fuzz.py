"""Fuzz targets: whatever a sandbox process or a NATS client may send is read without an error that nobody expects.

`fuzzing` runs one with a coverage-guided fuzzer; `test_fuzz` runs all of them on the kept corpus.
"""

import asyncio
import contextlib
import json
import struct
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg

from executor import sandboxes
from executor.admission import Admission
from executor.ai import AICalls
from executor.asking import Question
from executor.backend import Base, Process
from executor.calls import read_call
from executor.execution import Execution
from executor.replies import Replies
from executor.sandbox import frames, wasi
from executor.sandbox.memory import GuestMemory, OutOfBounds
from executor.sandbox.wasmedge import Terminated
from schemas import ai, errors, headers, messages
from schemas.archive import pack, unpack, unpack_own
from schemas.inbox import Inbox
from schemas.limits import MAX_UNPACKED_BYTES, Limits

CORPUS = Path(__file__).parent / "corpus"


class _Broker:
    """Stands for NATS: answers with the rest of the fuzzer's bytes, keeps what is published."""

    is_connected = True
    max_payload = 1 << 20

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.published: list[tuple[bytes, dict[str, str]]] = []

    async def ask(self, subject: str, body: bytes, given: dict[str, str], deadline: float) -> bytes:
        """As `executor.asking.Broker.ask`."""
        return self.answer

    async def open(self, question: Question, subject: str, body: bytes, given: dict[str, str], deadline: float) -> str:
        """As `executor.asking.Broker.open`: half of the answer as a piece, then all of it."""
        piece = SimpleNamespace(data=self.answer[::2], headers={"Wasmforge-Event": "output"})
        for msg in (piece, SimpleNamespace(data=self.answer, headers=None)):
            question.deliver(cast(Msg, msg))
        return "question"

    async def close(self, name: str, question: Question) -> None:
        """As `executor.asking.Broker.close`."""

    async def publish(
        self, subject: str, body: bytes = b"", reply: str = "", headers: dict[str, str] | None = None
    ) -> None:
        """As `nats.aio.client.Client.publish`."""
        self.published.append((body, dict(headers or {})))


def decoder(data: bytes) -> None:
    """The frame decoder gives the same frames however the bytes are cut."""
    cut = data[0] if data else 0
    whole, pieces = frames.FrameDecoder(), frames.FrameDecoder()
    try:
        expected = whole.feed(data)
    except frames.BrokenFrame:
        return
    found = []
    for start in range(0, len(data), max(1, cut)):
        found += pieces.feed(data[start : start + max(1, cut)])
    assert found == expected
    assert sum(len(payload) + frames.HEADER.size for _, payload in found) <= len(data)


def process(data: bytes) -> None:
    """An execution of which the sandbox process is taken over: it sends these bytes, and the caller gets one reply."""
    asyncio.run(_process(data))


async def _process(data: bytes) -> None:
    broker = _Broker(data[-64:])
    nc = cast(Client, broker)
    plugin = messages.PluginRevision("p", "0" * 64, "", Limits(output_bytes=1000, log_bytes=100))
    ended = SimpleNamespace(pid=1 << 22, alive=lambda: False, end=lambda: None)

    async def was_killed(pid: int) -> bool:
        return False

    base = SimpleNamespace(alive=True, was_killed=was_killed)
    sandbox = sandboxes.Sandbox(cast(Base, base), cast(Process, ended))
    replied: list[bytes] = []
    sandbox._transport = cast(asyncio.Transport, SimpleNamespace(
        write=replied.append, abort=lambda: None, pause_reading=lambda: None, resume_reading=lambda: None,
        is_closing=lambda: True,
    ))  # fmt: skip
    place = Admission(nc, 1, 1, 1).wait()
    with place:
        await place.take_slot()
        execution = Execution(sandbox, plugin, AICalls(broker, 10, {}), place)
        late = errors.DeadlineExceeded("late")
        running = asyncio.ensure_future(execution.run(b"", asyncio.get_running_loop().time() + 60, late))
        await asyncio.sleep(0)
        middle = len(data) // 2
        for part in (data[:middle], data[middle:]):
            sandbox.data_received(part)
            await asyncio.sleep(0)
        sandbox.connection_lost(None)
        outcome = await running
    assert len(outcome.output) <= 1000
    assert len(outcome.log) <= 300
    call = SimpleNamespace(
        reply_to="_INBOX.x", execution_id="x", stream=False, plugin="p", caller=None, data=b"", tape=None,
    )  # fmt: skip
    replies = Replies(nc, "executor", Inbox())
    await replies.finish(cast(Any, call), outcome, {"run": outcome.run_us, "restore": outcome.restore_us}, "0" * 64)
    await replies.record(cast(Any, call), outcome, {}, None)
    for body, sent in broker.published:
        assert len(body) <= broker.max_payload
        for name, value in sent.items():
            assert value.isascii()
            assert value.isprintable(), (name, value)


def request(data: bytes) -> None:
    """A guest's request is answered, with JSON, whatever it is and whatever the broker says."""
    length = data[0] if data else 0
    broker = _Broker(data[1 + length :])
    reply = asyncio.run(AICalls(broker, 3, {}).answer(data[1 : 1 + length] or data, 10.0**12))
    answer = json.loads(reply)
    assert answer["ok"] in (True, False)
    if not answer["ok"]:
        assert isinstance(answer["error"], str)
        errors.AIErrorCode(answer["code"])


class _Outside:
    def printed(self, descriptor: int, data: bytes) -> None:
        assert descriptor in (1, 2)

    def frame_from_guest(self, kind: int, payload: bytes) -> bool:
        return kind in frames.GUEST_KINDS

    def bytes_for_guest(self) -> bytes:
        return b"\x05\0\0\0hello"


class _Memory:
    """Two pages of memory with bounds, in place of a guest's."""

    def __init__(self) -> None:
        self.data = bytearray(2 * frames.PAGE_BYTES)

    def read(self, address: int, length: int) -> bytes:
        if address + length > len(self.data):
            raise OutOfBounds
        return bytes(self.data[address : address + length])

    def write(self, address: int, data: bytes) -> None:
        if address + len(data) > len(self.data):
            raise OutOfBounds
        self.data[address : address + len(data)] = data


def imports(data: bytes) -> None:
    """Every import with any arguments, in any order: an errno or the end of the call, and nothing that lasts."""
    host = wasi.Wasi(_Outside(), [b"python"])
    memory = _Memory()
    host.memory = cast(GuestMemory, memory)
    memory.data[: min(len(data), 4096)] = data[:4096]
    table = host.imports()
    clean = dict(vars(host))
    host.begin_call()
    for position in range(0, min(len(data), 2048) - 33, 33):
        name, parameters, _, call = table[data[position] % len(table)]
        if name == "poll_oneoff":
            continue  # it may sleep
        words = struct.unpack("<8I", data[position + 1 : position + 33])
        small = (words[0], words[1] % 4096, words[2] % 4, *words[3:])
        for arguments in (words, small):
            try:
                errno = call(*(arguments[: len(parameters)]))
            except Terminated:
                continue
            assert 0 <= errno < 128, name
    host.begin_call()
    assert host.exit_status is None
    assert host._closed == set()
    assert host._unread == b""
    assert vars(host).keys() == clean.keys()


def wire(data: bytes) -> None:
    """Headers and messages from NATS: understood, or refused in the one way that is expected."""
    text = data.decode("utf-8", "replace")
    lines = [line.partition(":") for line in text.split("\n")]
    known = [
        headers.EXECUTION_ID,
        headers.TIMEOUT_MS,
        headers.REVISION,
        headers.HEARTBEAT_MS,
        headers.CALLER,
        headers.TRACEPARENT,
    ]
    given = {name: value for name, _, value in lines} | {
        name: value for name, (_, _, value) in zip(known, lines, strict=False)
    }
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(_read(text, data, given))
    finally:
        loop.close()
    headers.get_phases(given)
    error = headers.get_error(given | {headers.ERROR_TYPE: text[:20]}, data)
    assert error is not None
    put: dict[str, str] = {}
    headers.put_error(put, error)
    assert all(value.isascii() and value.isprintable() for value in put.values())
    for kind in (
        messages.PluginRevision,
        messages.CheckReply,
        ai.GenerateReply,
        ai.ModelsReply,
        messages.PluginQuery,
    ):
        with contextlib.suppress(msgspec.MsgspecError, ValueError, RecursionError):
            msgspec.json.decode(data, type=kind)


async def _read(text: str, data: bytes, given: dict[str, str]) -> None:
    message = cast(Msg, SimpleNamespace(headers=given, subject="wasmforge.fn." + text[:30], data=data))
    try:
        call = read_call(message, "")
    except errors.InvalidInput:
        return
    assert all(value.isprintable() for value in call.forward.values())


def archive(data: bytes) -> None:
    """A zip is refused in words, or it is files with paths that stay inside, which pack to the same again."""
    refusal = ""
    files: dict[str, bytes] = {}
    try:
        files = unpack(data)
    except errors.InvalidInput as error:
        refusal = error.message
    assert refusal.isprintable()
    assert sum(map(len, files.values())) <= MAX_UNPACKED_BYTES
    for path in files:
        assert path.isprintable()
        assert not {"", ".", ".."} & set(path.split("/"))
    assert unpack_own(pack(files)) == files


TARGETS: dict[str, Callable[[bytes], None]] = {
    "decoder": decoder, "process": process, "request": request, "imports": imports, "wire": wire, "archive": archive,
}  # fmt: skip
