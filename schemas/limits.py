"""What one execution may use. A plugin may ask for its own limits, up to ceilings that the operator sets."""

from collections.abc import Mapping

import msgspec

from schemas.errors import InvalidInput, TooLarge

MIB = 1024 * 1024

MAX_SOURCE_BYTES = 1_000_000
"""Largest plugin source, as in the original."""

MAX_ARCHIVE_BYTES = MAX_SOURCE_BYTES
"""Largest zip with a plugin in it."""
MAX_UNPACKED_BYTES = 8 * MIB
"""All files of a zip together."""
MAX_ARCHIVE_FILES = 1_000
MAX_PATH_CHARACTERS = 200
MAX_ARCHIVE_RATIO = 200
"""How many times its own size a zip may unpack to, once that is over 1 MiB: source and data stay far below."""

MAX_PROMPT_CHARACTERS = 4_000
"""Of one prompt, one system prompt, one text to embed."""

MAX_CHAT_CHARACTERS = 16_000
"""Of all messages of a conversation together, calls of tools among them."""

MAX_MESSAGES = 100
MAX_TOOLS = 32
MAX_TOOLS_BYTES = 32 * 1024
"""Of all tools of a request as JSON, and of the arguments of one call."""

MAX_IMAGES = 4
MAX_IMAGES_BYTES = 3 * MIB
"""Of all images of a request together, before they become base64."""

MAX_EMBED_TEXTS = 64
MAX_EMBED_CHARACTERS = 64_000
"""Of all texts of a request together."""

MAX_DESCRIPTION_CHARACTERS = 10_000
MAX_HINT_CHARACTERS = 1_000

MAX_PAYLOAD_BYTES = 8 * MIB
"""Largest message on NATS: the ``max_payload`` the server must be set to (it starts with 1 MiB)."""

MIN_MEMORY_BYTES = 64 * MIB
"""The interpreter itself, with the modules it has loaded, needs about half of this."""


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Limits of one execution of a plugin."""

    timeout_ms: int = 120_000
    """Wall clock, waiting for AI included."""
    cpu_ms: int = 120_000
    """CPU time, of which a plugin that waits uses none."""
    memory_bytes: int = 128 * MIB
    """Linear memory of the sandbox."""
    ai_calls: int = 10
    """Calls of a model, failed ones count."""
    input_bytes: int = 1 * MIB
    output_bytes: int = 1 * MIB
    log_bytes: int = 256 * 1024
    """What ``print`` wrote beyond this is dropped, and the log says so."""

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            floor = 0 if name in ("ai_calls", "log_bytes") else 1
            if getattr(self, name) < floor:
                raise ValueError(f"limit {name} must be at least {floor}")


CEILINGS = Limits(
    timeout_ms=600_000,
    cpu_ms=600_000,
    memory_bytes=512 * MIB,
    ai_calls=100,
    input_bytes=4 * MIB,
    output_bytes=4 * MIB,
    log_bytes=1 * MIB,
)
"""What the operator allows unless told otherwise (``WASMFORGE_CEILINGS``, a JSON object)."""


def read_ceilings(environment: Mapping[str, str]) -> Limits:
    """The operator's ceilings out of ``WASMFORGE_CEILINGS``.

    Raises:
        InvalidInput: it can't be used; the message names it.
    """
    text = environment.get("WASMFORGE_CEILINGS")
    if not text:
        return CEILINGS
    try:
        # The operator's ceilings have no ceiling of their own.
        return parse_limits(text, Limits(**dict.fromkeys(Limits.__struct_fields__, 2**62)))
    except InvalidInput as error:
        raise InvalidInput(f"WASMFORGE_CEILINGS: {error}") from None


def check_source_size(source: str, what: str) -> None:
    """Refuse a source that is longer than a plugin's may be; ``what`` begins the sentence.

    Raises:
        TooLarge: names both numbers.
    """
    size = len(source.encode("utf-8", "replace"))
    if size > MAX_SOURCE_BYTES:
        raise TooLarge(what, size_bytes=size, limit_bytes=MAX_SOURCE_BYTES)


def check_limits(limits: Limits, ceilings: Limits) -> None:
    """Refuse limits that this installation does not allow.

    Raises:
        InvalidInput: one is above its ceiling, or too small to work; the message names both numbers.
    """
    for name in Limits.__struct_fields__:
        asked, ceiling = getattr(limits, name), getattr(ceilings, name)
        if asked > ceiling:
            raise InvalidInput(f"limit {name} is {asked:,}, this installation allows at most {ceiling:,}")
    if limits.memory_bytes < MIN_MEMORY_BYTES:
        raise InvalidInput(f"limit memory_bytes is {limits.memory_bytes:,}, at least {MIN_MEMORY_BYTES:,} are needed")


def parse_limits(text: str | bytes, ceilings: Limits = CEILINGS) -> Limits:
    """Limits out of a JSON object that names some of them; empty text means the defaults.

    Raises:
        InvalidInput: not such an object, or a limit above its ceiling (the message names both numbers).
    """
    if not text.strip():
        return Limits()
    try:
        limits = msgspec.json.decode(text, type=Limits)
    except (msgspec.MsgspecError, ValueError) as error:
        raise InvalidInput(f'limits must be a JSON object such as {{"timeout_ms": 30000}}: {error}') from None
    check_limits(limits, ceilings)
    return limits
