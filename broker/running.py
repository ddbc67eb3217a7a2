"""The broker put together."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from nats.aio.client import Client

from broker.accounting import Accounting
from broker.answering import Answering
from broker.backends.backend import Backend
from broker.backends.ollama import Ollama
from broker.backends.openai import OpenAI
from broker.budgets import Budgets, Counters
from broker.cache import Cache
from broker.checker import checking
from broker.fleet import watched
from broker.readers import Readers
from broker.room import Room
from broker.scheduler import Bounds, Scheduler
from broker.service import Broker
from broker.settings import Settings
from broker.usage import Usage
from schemas.micro import Service


@asynccontextmanager
async def running(settings: Settings, nc: Client, readers: Readers) -> AsyncIterator[Service]:
    """A broker that answers until its service is drained, which is to be done within the block."""
    backends: list[Backend] = [Ollama(url) for url in settings.ollama]
    backends += [OpenAI(url, settings.openai_key) for url in settings.openai]
    async with watched(backends, settings.parallel) as fleet, checking() as checker, Counters(nc) as counters:
        scheduler = Scheduler(Bounds(queued=settings.queued))
        budgets = Budgets(nc, settings.budgets, counters)
        usage = Usage(nc, secrets.token_hex(8), scheduler, budgets)
        accounting = Accounting(Cache(settings.cache_bytes, settings.cache_seconds), budgets, usage)
        broker = Broker(settings, nc, fleet, Answering(fleet, scheduler), accounting, checker, readers, Room())
        await readers.start()
        await budgets.check()
        try:
            service = broker.service()
            await service.start()
            yield service
        finally:
            await readers.stop()
