"""From a request to the tokens that the model sees, cut to the context as Ollama cuts them."""

import re
from collections.abc import Sequence

from deploy.modelserver import model
from deploy.modelserver.engine import Engine
from deploy.modelserver.errors import ApiError
from deploy.modelserver.options import Options
from deploy.modelserver.requests import GenerateRequest, Message

ANSWER_RESERVE_TOKENS = 256
"""Room kept for an answer of no stated length when a prompt has to be cut."""

_LEAST_CONTEXT = 64
_ACTION = re.compile(r"{{-?\s*(.*?)\s*-?}}", re.DOTALL)


def context_tokens(options: Options, slot_tokens: int) -> int:
    """Context of one request: what it asks for, within what a slot has."""
    return max(_LEAST_CONTEXT, min(options.num_ctx, slot_tokens)) if options.num_ctx > 0 else slot_tokens


def output_tokens(options: Options, prompt_tokens: int, context: int) -> int:
    """How many tokens may be generated: never past the context's end, so every generation ends."""
    room = max(1, context - prompt_tokens)
    return min(options.num_predict, room) if options.num_predict > 0 else room


async def of_generate(engine: Engine, request: GenerateRequest, options: Options, slot_tokens: int) -> list[int]:
    """Tokens of a ``/api/generate`` request.

    Raises:
        ApiError: 400, the request contradicts itself or does not fit and must not be cut.
    """
    if request.raw and (request.template or request.system or request.context):
        raise ApiError(400, "raw mode does not support template, system, or context")
    if request.context and not all(0 <= token < model.VOCABULARY for token in request.context):
        raise ApiError(400, "context holds numbers that are no tokens of this model")
    if request.raw:
        text = request.prompt
    elif request.template:
        text = _fill(request.template, request.prompt, request.system or "")
    else:
        messages = [{"role": "user", "content": request.prompt}]
        if request.system:
            messages.insert(0, {"role": "system", "content": request.system})
        text = await engine.render(messages)
    tokens = (request.context or []) + await engine.tokenize(text)
    if not tokens:
        raise ApiError(400, "the prompt is empty")
    return _cut(tokens, options, context_tokens(options, slot_tokens), request.truncate)


async def of_chat(
    engine: Engine, messages: Sequence[Message], options: Options, slot_tokens: int, truncate: bool | None
) -> list[int]:
    """Tokens of a ``/api/chat`` request. Too long a chat loses its oldest messages, but never a system message.

    Raises:
        ApiError: 400, the chat does not fit and must not be cut.
    """
    context = context_tokens(options, slot_tokens)
    kept = list(messages)
    while True:
        text = await engine.render([{"role": message.role, "content": message.content} for message in kept])
        tokens = await engine.tokenize(text)
        oldest = next((i for i, message in enumerate(kept[:-1]) if message.role != "system"), None)
        if oldest is None or truncate is False or len(tokens) <= _room(options, context):
            return _cut(tokens, options, context, truncate)
        del kept[oldest]


def _room(options: Options, context: int) -> int:
    """Prompt tokens that leave space for an answer."""
    wanted = options.num_predict if options.num_predict > 0 else ANSWER_RESERVE_TOKENS
    return context - min(wanted, context // 4)


def _cut(tokens: list[int], options: Options, context: int, truncate: bool | None) -> list[int]:
    if len(tokens) < context:
        return tokens
    if truncate is False:
        raise ApiError(400, f"the input length exceeds the context length: {len(tokens)} tokens of {context}")
    room = _room(options, context)
    head = max(0, min(options.num_keep, room // 2))
    return tokens[:head] + tokens[-(room - head) :]


def _fill(template: str, prompt: str, system: str) -> str:
    """Ollama's templates are Go programs; the two names that plain ones use are understood, the rest is refused."""
    values = {".Prompt": prompt, ".System": system, ".Response": ""}

    def value(action: re.Match[str]) -> str:
        if action[1] not in values:
            raise ApiError(400, f"template error: {action[0][:80]} is not supported here, use {{{{ .Prompt }}}} or raw")
        return values[action[1]]

    return _ACTION.sub(value, template)
