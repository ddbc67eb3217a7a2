"""What the broker says about models, remembered for a moment."""

import asyncio
import time

import msgspec

from gateway.asking import ask
from gateway.inbox import Inbox
from schemas import subjects
from schemas.ai import ModelDetails, ModelsReply
from schemas.errors import Unavailable, WasmForgeError
from schemas.http import ModelLine, ModelPage, OllamaHealth

_KEPT_SECONDS = 2.0
_TROUBLE_KEPT_SECONDS = 0.1
"""Shorter, so that models are there for callers as soon as they are there."""
_NOBODY = "no broker is running, so no model can be reached"


class Models:
    """Asks the broker for its models, at most once in two seconds while all is well, however many ask here."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self._known: ModelsReply | None = None
        self._known_until = 0.0
        self._lock = asyncio.Lock()

    async def get(self, timeout_seconds: float) -> ModelsReply:
        """The broker's answer.

        Raises:
            Unavailable: no broker answers.
        """
        async with self._lock:
            if self._known is not None and time.monotonic() < self._known_until:
                return self._known
            self._known = None
            reply = await ask(self._inbox, subjects.AI_MODELS, b"", timeout_seconds=timeout_seconds, nobody=_NOBODY)
            try:
                self._known = msgspec.json.decode(reply.body, type=ModelsReply)
            except msgspec.MsgspecError:
                raise Unavailable("the broker gave an answer that makes no sense") from None
            kept_seconds = _KEPT_SECONDS if self._known.connected else _TROUBLE_KEPT_SECONDS
            self._known_until = time.monotonic() + kept_seconds
            return self._known

    async def page(self, timeout_seconds: float) -> ModelPage:
        """All that is known of models and their servers.

        Raises:
            Unavailable: no broker answers.
        """
        found = await self.get(timeout_seconds)
        lines = []
        for model in found.models:
            details = msgspec.structs.asdict(found.details.get(model.name, ModelDetails()))
            lines.append(ModelLine(**msgspec.structs.asdict(model), **details))
        return ModelPage(found.connected, lines, found.servers, found.error)

    async def health(self, timeout_seconds: float) -> OllamaHealth:
        """The model server's state in the original's shape."""
        try:
            found = await self.get(timeout_seconds)
        except WasmForgeError as error:
            return OllamaHealth("disconnected", "", error=error.message)
        if not found.connected:
            return OllamaHealth("disconnected", found.url, error=found.error or "the model server does not answer")
        return OllamaHealth("connected", found.url, models=found.server_models)
