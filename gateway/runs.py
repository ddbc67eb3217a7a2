"""``POST /api/plugins/run``: a call as the original's clients make it; its outcome is in the body, not the status."""

import secrets

import msgspec

from gateway.dispatch import Dispatcher, Order
from gateway.forms import Form
from gateway.plugins import no_such_plugin
from gateway.replies import JSONReply, retry_after
from schemas import headers
from schemas.errors import Busy, InvalidInput, NotFound, TooLarge, Unavailable, WasmForgeError
from schemas.http import RunResult
from schemas.limits import Limits
from schemas.names import check_plugin_name

_NOT_AN_OUTCOME = (Busy, TooLarge, Unavailable)


class RunRefused(RunResult, frozen=True, kw_only=True):
    """A `RunResult` whose plugin did not run; ``detail`` says the same as ``error``."""

    detail: str


def form_limit(ceilings: Limits) -> int:
    """Bytes of a form whose input is as large as may be: urlencoding makes three bytes of one."""
    return 3 * ceilings.input_bytes + 64 * 1024


async def run(dispatcher: Dispatcher, form: Form, ceilings: Limits) -> JSONReply:
    """Run the plugin that the form names.

    Raises:
        MissingField: the form names none.
        NotFound: there is no such plugin.
    """
    name = form.text("plugin_name")
    data = form.fields.get("input_data")
    if data is None:
        data = form.files.get("input_data", ("", b""))[1]
    execution_id = secrets.token_hex(16)
    try:
        check_plugin_name(name)
    except InvalidInput:
        raise no_such_plugin(name) from None
    try:
        if len(data) > ceilings.input_bytes:
            raise TooLarge("The input", size_bytes=len(data), limit_bytes=ceilings.input_bytes)
        reply = await dispatcher.call(Order(name, data, execution_id, ceiling_ms=ceilings.timeout_ms))
    except WasmForgeError as error:
        return _failed(error, execution_id, {}, ours=True)
    phases = headers.get_phases(reply.headers)
    if isinstance(reply.error, NotFound):
        raise reply.error
    if reply.error is not None:
        return _failed(reply.error, execution_id, phases, ours=isinstance(reply.error, Busy | Unavailable))
    return JSONReply(RunResult(True, reply.body.decode("utf-8", "replace"), None, None, execution_id, phases))


def _failed(error: WasmForgeError, execution_id: str, phases: dict[str, int], *, ours: bool) -> JSONReply:
    shape = RunResult(False, "", error.message, str(error.error_type), execution_id, phases)
    if not ours or not isinstance(error, _NOT_AN_OUTCOME):
        return JSONReply(shape)
    refused = RunRefused(**msgspec.structs.asdict(shape), detail=error.message)
    return JSONReply(refused, status_code=error.http_status, headers=retry_after(error))
