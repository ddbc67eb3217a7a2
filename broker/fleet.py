"""All model servers."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager

from broker.backends.backend import Backend
from broker.servers import ModelServer
from schemas.ai import ModelDetails
from schemas.errors import AIErrorCode, AIFailure


class Fleet:
    """Servers, in the order in which the operator named them. Made by `watched`."""

    def __init__(self, backends: Sequence[Backend], capacity: int) -> None:
        self.changed: Callable[[], None] = lambda: None
        """To be called after every change; the scheduler sets it."""
        self.servers = [
            ModelServer(backend, capacity, self._tell, self._nobody_healthy, self._nobody_has) for backend in backends
        ]

    async def current(self) -> dict[str, bool]:
        """Have fresh lists, or wait for them for a moment.

        Returns:
            By address: whether what is known of the server is fresh.
        """
        fresh = await asyncio.gather(*(server.current() for server in self.servers))
        return {server.url: each for server, each in zip(self.servers, fresh, strict=True)}

    def offers(self, model: str) -> bool:
        """Whether a server that works lists the model."""
        return any(server.in_order and server.lists(model) for server in self.servers)

    def offers_elsewhere(self, model: str, server: ModelServer, tried: Collection[tuple[str, str]]) -> bool:
        """Whether another server that works lists the model and has not been asked for it."""
        return any(
            other.in_order and other.lists(model) and (other.url, model) not in tried
            for other in self.servers
            if other is not server
        )

    def choose(self, targets: Sequence[str]) -> list[str]:
        """The same models, those that are there first."""
        return sorted(targets, key=lambda target: not self.offers(target))

    def candidates(self, model: str, tried: Collection[tuple[str, str]], needs: Collection[str]) -> list[ModelServer]:
        """Servers that may be asked for the model and have not been.

        Args:
            model: its full name.
            tried: addresses of servers, each with the model that it was asked for.
            needs: what the model has to be capable of, such as ``tools``.

        Raises:
            AIFailure: ``not_supported``, the model can't what is needed, whichever server has it.
        """
        untried = [server for server in self.servers if (server.url, model) not in tried]
        able = [server for server in untried if not any(server.lacks(model, need) for need in needs)]
        if untried and not able:
            missing = next(need for need in needs if untried[0].lacks(model, need))
            raise AIFailure(f"{model} does not support {missing}", AIErrorCode.NOT_SUPPORTED)
        return able

    def details(self, model: str) -> ModelDetails:
        """What the servers tell of a model, put together."""
        having = [server for server in self.servers if server.in_order and server.lists(model)]
        listed = [server.models[model] for server in having]
        facts = [known for server in having if (known := server.facts(model))]
        lengths = [*(each.context_length for each in facts), *(each.context_length for each in listed)]
        return ModelDetails(
            loaded=any(server.loaded(model) for server in having),
            size_bytes=next((each.size_bytes for each in listed if each.size_bytes is not None), None),
            parameter_size=next((each.parameter_size for each in listed if each.parameter_size), None),
            quantization=next((each.quantization for each in listed if each.quantization), None),
            context_length=next((length for length in lengths if length), None),
            capabilities=sorted({capability for each in facts for capability in each.capabilities}),
            servers=[server.url for server in having],
        )

    def _tell(self) -> None:
        self.changed()

    def _nobody_healthy(self) -> bool:
        return not any(server.in_order for server in self.servers)

    def _nobody_has(self, model: str) -> bool:
        return not any(server.lists(model) for server in self.servers)


@asynccontextmanager
async def watched(backends: Sequence[Backend], capacity: int) -> AsyncIterator[Fleet]:
    """A fleet whose servers are watched for the length of the block."""
    fleet = Fleet(backends, capacity)
    watching = [asyncio.create_task(server.watch()) for server in fleet.servers]
    try:
        yield fleet
    finally:
        for task in watching:
            task.cancel()
        await asyncio.wait(watching)
        for backend in backends:
            backend.close()
