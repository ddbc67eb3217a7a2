"""How much of an answer is read."""

from broker.backends.endpoint import Endpoint

MAX_STREAM_BYTES = 32 * 1024 * 1024
"""Of an answer that comes in pieces, with what is around each: 32,768 tokens (the most that may be asked for) of some
hundred bytes are 4 MiB, those of other servers three times that."""

MAX_LINE_BYTES = 1024 * 1024

MAX_ANSWER_CHARACTERS = 1024 * 1024
"""Of an answer itself."""

MAX_EMBEDDING_BYTES = 7 * 1024 * 1024
"""Of vectors; they have to fit into one message of NATS."""


def check_answer(endpoint: Endpoint, characters: int) -> None:
    """Refuse an answer that never ends.

    Raises:
        AIFailure: ``broken_reply``.
    """
    if characters > MAX_ANSWER_CHARACTERS:
        raise endpoint.broken(f"its answer has more than {MAX_ANSWER_CHARACTERS:,} characters")
