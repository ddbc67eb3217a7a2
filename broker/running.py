"""The broker put together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from nats.aio.client import Client

from broker.answering import Answering
from broker.backends.backend import Backend
from broker.backends.ollama import Ollama
from broker.backends.openai import OpenAI
from broker.checker import checking
from broker.fleet import watched
from broker.readers import Readers
from broker.scheduler import Bounds, Scheduler
from broker.service import Broker
from broker.settings import Settings
from schemas.micro import Service


@asynccontextmanager
async def running(settings: Settings, nc: Client, readers: Readers) -> AsyncIterator[Service]:
    """A broker that answers until its service is drained, which is to be done within the block."""
    backends: list[Backend] = [Ollama(url) for url in settings.ollama]
    backends += [OpenAI(url, settings.openai_key) for url in settings.openai]
    async with watched(backends, settings.parallel) as fleet, checking() as checker:
        scheduler = Scheduler(Bounds(queued=settings.queued))
        broker = Broker(settings, nc, fleet, scheduler, Answering(fleet, scheduler), checker, readers)
        await readers.start()
        try:
            service = broker.service()
            await service.start()
            yield service
        finally:
            await readers.stop()
