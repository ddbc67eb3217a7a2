"""``python -m broker.format_worker``: checks JSON schemas, and answers against them, for `broker.checker`.

A process of its own, because a schema can be made to take for ever, and then there is nothing to do but to end it.
Standard input and output carry a length of four bytes and as much JSON: `Question` in, `Verdict` out.
"""

import functools
import json
import re
import resource
import signal
import sys
from typing import Any, BinaryIO

import jsonschema
import msgspec
import referencing
import referencing.exceptions

QUESTION_SECONDS = 2.0
MEMORY_BYTES = 1024 * 1024 * 1024
MAX_WORDS = 240
_ENDLESS = "it refers to itself without end, or asks for what is nested too deep"


class Question(msgspec.Struct):
    """Is this a schema, and does the text follow it?"""

    schema: dict[str, Any]
    text: str | None = None
    """None: only the schema is asked about."""


class Verdict(msgspec.Struct, omit_defaults=True):
    """What is wrong, if anything."""

    schema: str = ""
    text: str = ""


def judge(question: Question) -> Verdict:
    """Answer."""
    try:
        checked = _validator(json.dumps(question.schema, sort_keys=True))
    except jsonschema.SchemaError as error:
        return Verdict(schema=_words(error))
    except RecursionError:
        return Verdict(schema=_ENDLESS)
    except (re.error, ValueError, TypeError) as error:
        return Verdict(schema=f"{type(error).__name__}: {error}"[:MAX_WORDS])
    if question.text is None:
        return Verdict()
    try:
        value = json.loads(question.text)
    except (ValueError, RecursionError):
        return Verdict(text="it is not JSON")
    try:
        problem = next(checked.iter_errors(value), None)
    except referencing.exceptions.Unresolvable as missing:
        return Verdict(schema=f"it refers to {str(missing.ref)[:80]!r}, which is not in it")
    except RecursionError:
        return Verdict(schema=_ENDLESS)
    except (re.error, ValueError, TypeError, OverflowError) as wrong:
        return Verdict(schema=f"{type(wrong).__name__}: {wrong}"[:MAX_WORDS])
    return Verdict() if problem is None else Verdict(text=_words(problem))


def main() -> None:
    """Answer until there are no more questions."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    while head := source.read(4):
        data = source.read(int.from_bytes(head, "big"))
        # Whoever asked may be gone; nobody else would end this process then. Nothing handles the signal: it kills.
        signal.setitimer(signal.ITIMER_REAL, QUESTION_SECONDS)
        answer = msgspec.json.encode(judge(msgspec.json.decode(data, type=Question)))
        signal.setitimer(signal.ITIMER_REAL, 0)
        _write(sink, answer)


def _write(sink: BinaryIO, data: bytes) -> None:
    sink.write(len(data).to_bytes(4, "big") + data)
    sink.flush()


@functools.lru_cache(maxsize=64)
def _validator(schema: str) -> Any:
    read = json.loads(schema)
    kind = jsonschema.validators.validator_for(read, default=jsonschema.Draft202012Validator)
    kind.check_schema(read)
    # A registry of its own: the default one would fetch what a schema refers to from the network.
    return kind(read, registry=referencing.Registry())


def _words(error: Any) -> str:
    where = error.json_path
    said = " ".join(str(error.message)[: 2 * MAX_WORDS].split())
    return (said if where == "$" else f"{where[:80]}: {said}")[:MAX_WORDS]


if __name__ == "__main__":
    main()
