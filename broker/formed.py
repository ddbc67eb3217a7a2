"""Answers that have to have a form: checked before anybody gets them, asked for once more if need be."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import msgspec

from broker.answering import Spoken
from broker.checker import Checker
from schemas.ai import ChatRequest, GenerateRequest
from schemas.errors import AIErrorCode, AIFailure

_LIVELIER = 0.4
"""The least temperature of the second try: with the same seed and none, the model would say the same again."""

R = TypeVar("R", GenerateRequest, ChatRequest)


async def formed(checker: Checker, request: R, ask: Callable[[R], Awaitable[Spoken]]) -> Spoken:
    """The answer to ``request``, which has the form that it asks for. Tokens are those of both tries.

    Raises:
        AIFailure: ``format_mismatch`` after two tries; ``invalid_prompt`` if the schema can't be used; that of ``ask``.
    """
    first = await ask(request)
    problem = await _problem(checker, request.format, first)
    if problem is None:
        return first
    second = await ask(_again(request))
    prompt_tokens = first.prompt_tokens + second.prompt_tokens
    output_tokens = first.output_tokens + second.output_tokens
    problem = await _problem(checker, request.format, second)
    if problem is None:
        return Spoken(second.text, second.tool_calls, second.cut, prompt_tokens, output_tokens)
    hint = "; it was cut off, give num_predict more room" if second.cut else ""
    raise FormatMismatch(
        f"model {request.model[:80]} did not answer in the format that was asked for, twice: {problem}{hint}",
        prompt_tokens,
        output_tokens,
    )


class FormatMismatch(AIFailure):
    """Both answers were of another form; they cost all the same."""

    def __init__(self, message: str, prompt_tokens: int, output_tokens: int) -> None:
        super().__init__(message, AIErrorCode.FORMAT_MISMATCH)
        self.prompt_tokens = prompt_tokens
        self.output_tokens = output_tokens


async def _problem(checker: Checker, form: Any, answer: Spoken) -> str | None:
    # A model that calls a tool has not answered yet.
    return None if answer.tool_calls else await checker.problem(form, answer.text)


def _again(request: R) -> R:
    given: Mapping[str, Any] = request.options or {}
    options = {**given, "temperature": max(_LIVELIER, given.get("temperature", 0.8))}
    if given.get("seed", -1) >= 0:
        options["seed"] = (given["seed"] + 1) % 2_147_483_648
    return msgspec.structs.replace(request, options=options)
