"""Budgets as an operator sets them: ``WASMFORGE_BUDGETS``, a JSON object.

    {"global":    {"output_tokens": {"day": 5000000}},
     "plugin":    {"*": {"calls": {"minute": 60, "day": 5000}}, "summarize": {"calls": {"minute": 600}}},
     "caller":    {"*": {"prompt_characters": {"day": 1000000}}},
     "execution": {"*": {"calls": 20, "output_tokens": 8000}}}

``*`` is every plugin or caller that has no entry of its own; an entry of its own replaces it as a whole. Those of
executions go by the execution's plugin. Minutes and days are those of the clock, UTC.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Literal

import msgspec

from broker.ticket import Ticket
from schemas import subjects
from schemas.errors import InvalidInput

Scope = Literal["execution", "plugin", "caller", "global"]
What = Literal["calls", "prompt_characters", "prompt_tokens", "output_tokens"]
Window = Literal["execution", "minute", "day"]

SECONDS: dict[str, int] = {"minute": 60, "day": 86_400}
WHATS: tuple[What, ...] = ("calls", "prompt_characters", "prompt_tokens", "output_tokens")

_EXAMPLE = '{"plugin": {"*": {"calls": {"minute": 60}}}}'
_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,64}")
_MOST_KEY_BYTES = 120

_Count = Annotated[int, msgspec.Meta(ge=0, le=10**15)]


class _Windows(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    minute: _Count | None = None
    day: _Count | None = None


class _Amounts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    calls: _Windows = _Windows()
    prompt_characters: _Windows = _Windows()
    prompt_tokens: _Windows = _Windows()
    output_tokens: _Windows = _Windows()


class _Totals(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    calls: _Count | None = None
    prompt_characters: _Count | None = None
    prompt_tokens: _Count | None = None
    output_tokens: _Count | None = None


class _Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"everybody": "global"}):
    everybody: _Amounts = _Amounts()
    plugin: dict[str, _Amounts] = {}
    caller: dict[str, _Amounts] = {}
    execution: dict[str, _Totals] = {}


@dataclass(frozen=True, slots=True)
class Limit:
    """One number that a request has to stay within."""

    scope: Scope
    key: str
    what: What
    window: Window
    limit: int
    subject: str
    """Where it is counted."""
    ends_at: float | None
    """When it starts anew, seconds since 1970; None: never."""


_Found = tuple[What, Window, int]


class Limits:
    """All budgets of an installation; never change while a broker runs."""

    def __init__(self, settings: _Settings | None = None) -> None:
        settings = settings or _Settings()
        self._global = _windows(settings.everybody)
        self._plugin = {name: _windows(amounts) for name, amounts in settings.plugin.items()}
        self._caller = {name: _windows(amounts) for name, amounts in settings.caller.items()}
        self._execution = {name: _totals(totals) for name, totals in settings.execution.items()}

    @classmethod
    def parse(cls, text: str) -> "Limits":
        """Out of ``WASMFORGE_BUDGETS``; empty: none.

        Raises:
            InvalidInput: not such an object; the message says where.
        """
        if not text.strip():
            return cls()
        try:
            return cls(msgspec.json.decode(text, type=_Settings))
        except (msgspec.MsgspecError, RecursionError) as error:
            raise InvalidInput(f"WASMFORGE_BUDGETS: {error}. Give a JSON object such as {_EXAMPLE}") from None

    def __bool__(self) -> bool:
        return bool(self._global or self._plugin or self._caller or self._execution)

    def of(self, ticket: Ticket, now: float) -> list[Limit]:
        """Those that a request has to stay within at this time (seconds since 1970)."""
        found = [_limit("global", "", each, now) for each in self._global]
        if ticket.plugin:
            found += [_limit("plugin", ticket.plugin, each, now) for each in _named(self._plugin, ticket.plugin)]
        found += [_limit("caller", ticket.caller, each, now) for each in _named(self._caller, ticket.caller)]
        if ticket.execution_id:
            totals = _named(self._execution, ticket.plugin)
            found += [_limit("execution", ticket.execution_id, each, now) for each in totals]
        return found

    def named(self, now: float) -> Iterator[Limit]:
        """Those of everybody, and of plugins and callers that have an entry of their own."""
        for each in self._global:
            yield _limit("global", "", each, now)
        entries: tuple[tuple[Scope, dict[str, list[_Found]]], ...] = (
            ("plugin", self._plugin),
            ("caller", self._caller),
        )
        for scope, names in entries:
            for name, limits in names.items():
                if name != "*":
                    for each in limits:
                        yield _limit(scope, name, each, now)

    def at(self, subject: str, now: float) -> Limit | None:
        """The limit that is counted at ``subject`` in a window of now; None: there is none (any more)."""
        parts = subject.split(".")
        if len(parts) != 7:
            return None
        window, scope, key, what = parts[2], parts[4], _unquoted(parts[5]), parts[6]
        if key is None:
            return None
        names = {"global": {"*": self._global}, "plugin": self._plugin, "caller": self._caller}.get(scope, {})
        for found in _named(names, key):
            if found[:2] == (what, window):
                return _limit(scope, key, found, now)  # type: ignore[arg-type]
        return None

    @staticmethod
    def everything(window: Window, now: float) -> str:
        """Subjects of all counters of the present minute or day."""
        return f"{subjects.BUDGETS}.{window}.{_number(window, now)}.>"


def _windows(amounts: _Amounts) -> list[_Found]:
    found: list[_Found] = []
    for what in WHATS:
        windows: _Windows = getattr(amounts, what)
        if windows.minute is not None:
            found.append((what, "minute", windows.minute))
        if windows.day is not None:
            found.append((what, "day", windows.day))
    return found


def _totals(totals: _Totals) -> list[_Found]:
    return [(what, "execution", limit) for what in WHATS if (limit := getattr(totals, what)) is not None]


def _named(names: dict[str, list[_Found]], name: str) -> list[_Found]:
    found = names.get(name)
    return names.get("*", []) if found is None else found


def _number(window: Window, now: float) -> int:
    return 0 if window == "execution" else int(now // SECONDS[window])


def _limit(scope: Scope, key: str, found: _Found, now: float) -> Limit:
    return _limit_in(scope, key, found, _number(found[1], now))


@lru_cache(maxsize=8192)
def _limit_in(scope: Scope, key: str, found: _Found, number: int) -> Limit:
    what, window, limit = found
    subject = f"{subjects.BUDGETS}.{window}.{number}.{scope}.{_quoted(key)}.{what}"
    ends_at = None if window == "execution" else float((number + 1) * SECONDS[window])
    return Limit(scope, key, what, window, limit, subject, ends_at)


def _quoted(key: str) -> str:
    """A name as one token of a subject; what callers call themselves may be anything."""
    if _PLAIN.fullmatch(key):
        return key
    data = key.encode("utf-8", "surrogatepass")
    if len(data) > _MOST_KEY_BYTES:
        return "=" + hashlib.sha256(data).hexdigest()
    return "~" + base64.urlsafe_b64encode(data).decode().rstrip("=")


def _unquoted(token: str) -> str | None:
    """What `_quoted` was given; None if it can't be told."""
    if not token.startswith(("~", "=")):
        return token
    if token[0] == "=":
        return None
    try:
        return base64.urlsafe_b64decode(token[1:] + "=" * (-len(token[1:]) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
