"""Answers that have to have a form: checked before anybody gets them, asked for once more if need be."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

import msgspec

from broker.answering import Spoken
from broker.checker import Checker
from schemas.ai import ChatRequest, GenerateRequest
from schemas.errors import AIErrorCode, AIFailure

TRIES = 2

_LIVELIER = 0.4
"""The least temperature of the second try: with the same seed and none, the model would say the same again."""

R = TypeVar("R", GenerateRequest, ChatRequest)


async def formed(checker: Checker, request: R, ask: Callable[[R], Awaitable[Spoken | None]], whose: str = "") -> Spoken:
    """The answer to ``request``, which has the form that it asks for. Tokens are those of both tries.

    Args:
        checker: knows the form.
        request: has one.
        ask: asks a model; None: there is no room for a second try.
        whose: the plugin.

    Raises:
        AIFailure: ``format_mismatch``; ``invalid_prompt`` if the schema can't be used; that of ``ask``.
    """
    answers: list[Spoken] = []
    problem: str | None = None
    for wanted in (request, _again(request)):
        answer = await ask(wanted)
        if answer is None:
            break
        answers.append(answer)
        # A model that calls a tool has not answered yet.
        problem = None if answer.tool_calls else await checker.problem(request.format, answer.text, whose)
        if problem is None:
            return replace(
                answer,
                prompt_tokens=sum(each.prompt_tokens for each in answers),
                output_tokens=sum(each.output_tokens for each in answers),
            )
    hint = "; it was cut off, give num_predict more room" if answers and answers[-1].cut else ""
    raise AIFailure(
        f"model {request.model[:80]} did not answer in the format that was asked for, "
        f"{'twice' if len(answers) == TRIES else 'once'}: {problem}{hint}",
        AIErrorCode.FORMAT_MISMATCH,
    )


def _again(request: R) -> R:
    given: Mapping[str, Any] = request.options or {}
    options = {**given, "temperature": max(_LIVELIER, given.get("temperature", 0.8))}
    if given.get("seed", -1) >= 0:
        options["seed"] = (given["seed"] + 1) % 2_147_483_648
    return msgspec.structs.replace(request, options=options)
