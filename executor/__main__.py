"""``python -m executor``: one executor, until SIGTERM or SIGINT."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable

import uvloop
from nats.aio.client import Client

from executor.backend import BaseFailed, Confinement
from executor.kinds import CannotUse, Kind, kind_of
from executor.plugins import Plugins
from executor.pool import Pool
from executor.service import ExecutorService
from executor.settings import BadSetting, Settings
from executor.undumpable import make_undumpable
from schemas import bus

log = logging.getLogger("executor")

_HOUSEKEEPING_SECONDS = 2.0


class CannotStart(Exception):
    """The executor can't run here; the message says what to do."""


async def main(settings: Settings) -> None:
    """Run an executor.

    Raises:
        CannotStart: what plugins shall run in is not there, or does not boot.
    """
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        kind = kind_of(settings)
    except CannotUse as error:
        raise CannotStart(str(error)) from None
    if kind.warning:
        log.warning("%s", kind.warning)
    pool = Pool(settings.wasmedge, kind.engine, kind.boot)
    plugins: Plugins | None = None
    service: ExecutorService | None = None

    async def on_disconnect() -> None:
        if service is not None:
            service.lost()

    async def on_reconnect() -> None:
        if plugins is not None:
            plugins.forget_names()

    try:
        try:
            await pool.use_engine(kind.engine)
        except BaseFailed as error:
            raise CannotStart(str(error)) from None
        _judge(pool.confinement, settings)
        log.info("sandbox ready, engine %s", kind.engine.name)
        nc = await _connect_unless_stopped(settings, on_disconnect, on_reconnect, stop)
        if nc is None:
            return
        try:
            plugins = Plugins(nc)
            await plugins.start()
            keeper = asyncio.create_task(_housekeeping(pool, kind))
            try:
                service = ExecutorService(nc, pool, plugins, settings)
                await service.run(stop, settings.grace_seconds)
            finally:
                keeper.cancel()
        finally:
            await nc.close()
    finally:
        await pool.close()


def _judge(confinement: Confinement, settings: Settings) -> None:
    """Say what confines the sandboxes beside WebAssembly; refuse if that is less than the operator requires."""
    if not confinement.missing:
        log.info("confinement: all layers are in force (%s)", ", ".join(confinement.layers))
        return
    missing = "; ".join(f"{layer} ({why})" for layer, why in confinement.missing.items())
    if settings.confinement == "required":
        raise CannotStart(
            f"confinement is required, and this machine does not allow: {missing}. Allow it, or set "
            "WASMFORGE_CONFINEMENT=best-effort if WebAssembly alone is enough for the plugins that run here"
        )
    log.warning("confinement: NOT in force: %s", missing)


async def _connect_unless_stopped(
    settings: Settings,
    on_disconnect: Callable[[], Awaitable[None]],
    on_reconnect: Callable[[], Awaitable[None]],
    stop: asyncio.Event,
) -> Client | None:
    """The connection, waited for as long as nobody says stop."""
    # A connection that is closed for good ends the executor in good order; what supervises it starts a new one.
    connecting = asyncio.create_task(
        bus.connect(
            settings.nats_url,
            "wasmforge-executor",
            on_disconnect=on_disconnect,
            on_reconnect=on_reconnect,
            on_close=stop.set,
        )
    )
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait((connecting, stopping), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if connecting.done():
        return connecting.result()
    connecting.cancel()
    return None


async def _housekeeping(pool: Pool, kind: Kind) -> None:
    """Give back idle processes; move over to a better engine when one has been compiled."""
    refused = None
    while True:
        await asyncio.sleep(_HOUSEKEEPING_SECONDS)
        await pool.tidy()
        engine = kind.best_engine()
        if engine is None or engine in (pool.engine, refused):
            continue
        try:
            await pool.use_engine(engine)
            log.info("moved over to engine %s", engine.name)
        except BaseFailed as error:
            refused = engine
            log.error("engine %s is not used: %s", engine.name, error)


if __name__ == "__main__":
    try:
        make_undumpable()
        chosen = Settings.read(os.environ)
        logging.basicConfig(level=chosen.log_level.upper(), format="%(levelname)s executor: %(message)s")
        uvloop.run(main(chosen))
    except (BadSetting, CannotStart, ValueError) as problem:
        print(f"executor: {problem}", file=sys.stderr)
        sys.exit(1)
