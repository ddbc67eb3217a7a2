"""Compiles source in a sandbox, without running it: the only safe place, and the only compiler whose word counts."""

import asyncio

import msgspec

from executor.pool import Pool
from executor.sandbox import frames
from executor.sandboxes import Exit, Sandbox
from schemas.errors import RuntimeFault
from schemas.messages import CheckReply

CHECK_SECONDS = 10.0
_MAX_MESSAGE = 500


class _Listener:
    def __init__(self) -> None:
        self.result: bytes | None = None
        self.done: asyncio.Future[Exit | None] = asyncio.get_running_loop().create_future()

    def on_frame(self, kind: int, payload: bytes) -> None:
        if kind == frames.RESULT:
            self.result = payload.partition(b"\0")[2]

    def on_exit(self, exit: Exit | None) -> None:
        if not self.done.done():
            self.done.set_result(exit)


async def check_source(pool: Pool, source: str) -> CheckReply:
    """What the sandbox's compiler says of ``source``.

    Raises:
        RuntimeFault: the sandbox gave no usable answer.
    """
    async with pool.lease() as sandbox:
        listener = _Listener()
        exit = await _wait(sandbox, listener, source)
    if exit is None:
        return CheckReply(ok=False, message=f"the source can't be compiled within {CHECK_SECONDS:.0f} seconds")
    if exit.reason != frames.RETURNED or listener.result is None:
        return CheckReply(ok=False, message="the source breaks the compiler: it is too large or too deeply nested")
    try:
        reply = msgspec.json.decode(listener.result, type=CheckReply)
    except (msgspec.MsgspecError, ValueError) as error:
        raise RuntimeFault(f"the sandbox's check can't be read: {error}") from None
    return msgspec.structs.replace(reply, message=reply.message[:_MAX_MESSAGE])


async def _wait(sandbox: Sandbox, listener: _Listener, source: str) -> Exit | None:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            sandbox.call(frames.CHECK, (source.encode(),), listener)
            return await listener.done
    except TimeoutError:
        return None
    finally:
        if not listener.done.done() or listener.done.cancelled():
            sandbox.kill()
