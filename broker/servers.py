"""A model server as the broker sees it: what it has, what is loaded, whether it can be asked."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress

from broker.backends.backend import Backend, Facts, Listed, Unreachable
from broker.breaker import Breaker
from broker.catalog import full_name
from broker.flights import Flight
from schemas.errors import AIErrorCode, AIFailure

log = logging.getLogger("broker")

FRESH_SECONDS = 2.0
"""For so long a list of models is taken as it is when somebody asks for it."""

FAILURE_FRESH_SECONDS = 0.2
"""The same for a failure; shorter, so that a server that comes back is seen at once."""

PATIENCE_SECONDS = 0.5
"""For so long somebody who asks waits for a newer list."""

CHECK_SECONDS = 5.0
"""For so long the server may take to answer a check."""

INTERVAL_SECONDS = 5.0
AWAY_INTERVAL_SECONDS = 0.5
"""How often it is checked without anybody asking."""

MAX_MODELS = 1000
MAX_FACTS = 100


class ModelServer:
    """One server. `watch` keeps what is known of it fresh, and tries it again when it was taken out.

    Args:
        backend: how it is spoken to.
        capacity: requests that it gets at once.
        changed: called after every change of what the scheduler goes by.
        nobody_healthy, nobody_has: whether that is so among all servers. Then there is nothing to be lost: it is asked.
    """

    def __init__(
        self,
        backend: Backend,
        capacity: int,
        changed: Callable[[], None],
        nobody_healthy: Callable[[], bool],
        nobody_has: Callable[[str], bool],
    ) -> None:
        self.backend = backend
        self.capacity = capacity
        self.models: dict[str, Listed] = {}
        """What it lists, by full name."""
        self.error: str | None = "the model server has not been asked yet"
        """Why its list can't be had, if so."""
        self.flights: set[Flight] = set()
        """Requests that it is answering."""
        self._loaded: set[str] = set()
        self._facts: dict[tuple[str, str], Facts] = {}
        self._listed = False
        self._checked_at = float("-inf")
        self._time = asyncio.get_running_loop().time
        self._breaker = Breaker(self._time)
        self._changed = changed
        self._nobody_healthy = nobody_healthy
        self._nobody_has = nobody_has
        self._wanted = asyncio.Event()
        self._checked = asyncio.Event()

    @property
    def url(self) -> str:
        """Its address, without a password."""
        return self.backend.url

    @property
    def in_order(self) -> bool:
        """Whether it is not taken out."""
        return not self._breaker.open

    @property
    def healthy(self) -> bool:
        """Whether it may be asked."""
        return self.in_order or self._nobody_healthy()

    def lists(self, model: str) -> bool:
        """Whether it says that it has the model."""
        return model in self.models

    def has(self, model: str) -> bool:
        """Whether it may have the model, given what all of them say."""
        return model in self.models or not self._listed or self._nobody_has(model)

    def loaded(self, model: str) -> bool:
        """Whether the model is in memory."""
        return model in self._loaded

    @property
    def loaded_models(self) -> list[str]:
        """Models in memory."""
        return sorted(self._loaded)

    def own_name(self, model: str) -> str:
        """What the server itself calls the model."""
        if listed := self.models.get(model):
            return listed.name
        return model if self.backend.kind == "ollama" else model.removesuffix(":latest")

    def facts(self, model: str) -> Facts | None:
        """What is known of the model, if it is."""
        listed = self.models.get(model)
        return self._facts.get((model, listed.digest)) if listed else None

    def lacks(self, model: str, capability: str) -> bool:
        """Whether the server says what the model can, and this is not among it."""
        facts = self.facts(model)
        return bool(facts and facts.capabilities and capability not in facts.capabilities)

    def succeeded(self, model: str) -> None:
        """It has answered with this model."""
        let_in = self._breaker.succeeded()
        if let_in:
            log.info("%s answers again", self.url)
        if model in self.models and model not in self._loaded:
            self._loaded.add(model)
            let_in = True
        if let_in:
            self._changed()

    def failed(self, model: str, failure: AIFailure, plugin: str) -> None:
        """It has failed to answer this plugin with this model."""
        match failure.code:
            case AIErrorCode.MODEL_NOT_FOUND:
                if self.models.pop(model, None) is not None:
                    self._wanted.set()
                    self._changed()
            case AIErrorCode.UNAVAILABLE | AIErrorCode.BROKEN_REPLY:
                unreachable = isinstance(failure, Unreachable)
                if self._breaker.failed() if unreachable else self._breaker.failed_to_answer(plugin):
                    self._wanted.set()
                    self._taken_out(failure.message)

    async def current(self) -> bool:
        """Have a fresh list, or wait for one for a moment.

        Returns:
            Whether what is known is fresh.
        """
        fresh_seconds = FRESH_SECONDS if self.error is None else FAILURE_FRESH_SECONDS
        if self._time() - self._checked_at <= fresh_seconds:
            return True
        checked = self._checked
        self._wanted.set()
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await checked.wait()
        except TimeoutError:
            return False
        return True

    async def watch(self) -> None:
        """Check it again and again, for ever."""
        while True:
            try:
                await self._check()
            except Exception:
                log.exception("%s: its check failed", self.url)
                self.error = f"the model server at {self.url} could not be checked, the log says why"
            self._wanted.clear()  # whoever wanted one while it ran has got it
            checked, self._checked = self._checked, asyncio.Event()
            checked.set()
            if self.error is None:
                await self._ask_for_facts()
            away = self.error is not None or self._breaker.open
            with suppress(TimeoutError):
                async with asyncio.timeout(AWAY_INTERVAL_SECONDS if away else INTERVAL_SECONDS):
                    await self._wanted.wait()

    async def _check(self) -> None:
        before = (self.in_order, self.models, self._loaded)
        failed = False
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                listed = await self.backend.list_models()
            self.models = {full_name(each.name): each for each in listed[:MAX_MODELS]}
            self.error = None
            self._listed = True
            if self._breaker.probed():
                log.info("%s answers again", self.url)
        except AIFailure as failure:
            self.error = failure.message
        except TimeoutError:
            self.error = f"the model server at {self.url} does not answer"
        if self.error is not None:
            failed = self._breaker.failed()
        else:
            # Whether it can tell what is loaded does not decide whether it can be used.
            with suppress(AIFailure, TimeoutError):
                async with asyncio.timeout(CHECK_SECONDS):
                    self._loaded = {full_name(name) for name in await self.backend.list_loaded()}
        self._checked_at = self._time()
        if failed:
            self._taken_out(self.error or "")
        elif before != (self.in_order, self.models, self._loaded):
            self._changed()

    def _taken_out(self, why: str) -> None:
        log.warning("%s is taken out: %s", self.url, why)
        self._changed()
        for flight in list(self.flights):
            flight.call_back()

    async def _ask_for_facts(self) -> None:
        wanted = [(name, listed) for name, listed in self.models.items() if (name, listed.digest) not in self._facts]
        for name, listed in wanted[:MAX_FACTS]:
            if len(self._facts) >= MAX_MODELS:
                self._facts.clear()
            try:
                async with asyncio.timeout(CHECK_SECONDS):
                    self._facts[name, listed.digest] = await self.backend.facts(listed.name)
            except AIFailure:
                self._facts[name, listed.digest] = Facts()
            except TimeoutError:
                return
