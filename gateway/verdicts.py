"""What the sandbox's compiler says of a source: asked of any executor."""

import msgspec

from gateway.asking import ask
from gateway.inbox import Inbox
from schemas import subjects
from schemas.errors import RuntimeFault
from schemas.messages import CheckReply


async def ask_verdict(inbox: Inbox, request: bytes, timeout_seconds: float) -> CheckReply:
    """The answer to a `CheckRequest`.

    Raises:
        Unavailable: no executor answers.
        RuntimeFault: its answer makes no sense.
        WasmForgeError: as the executor answered.
    """
    nobody = "the source can't be checked, no executor is running"
    reply = await ask(inbox, subjects.CHECK, request, timeout_seconds=timeout_seconds, nobody=nobody)
    try:
        return msgspec.json.decode(reply.body, type=CheckReply)
    except msgspec.MsgspecError:
        raise RuntimeFault("the source can't be checked: an executor's answer makes no sense") from None
