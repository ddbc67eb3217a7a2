"""``python -m deploy.modelserver``"""

import asyncio
import logging
import os
import signal
import socket
import sys
import time

import uvicorn
import uvloop

from deploy.modelserver import engine, model
from deploy.modelserver.admission import Admission
from deploy.modelserver.app import application
from deploy.modelserver.settings import BadSetting, Settings

log = logging.getLogger("modelserver")

_STOP_SECONDS = 10


def main() -> int:
    """Serve until SIGTERM or SIGINT; returns the exit code."""
    try:
        settings = Settings.read(os.environ)
    except BadSetting as error:
        print(f"ERROR modelserver: {error}", file=sys.stderr)
        return 2
    logging.basicConfig(stream=sys.stderr, level=settings.log_level, format="%(levelname)s modelserver: %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    # llama.cpp's threads wait for one another by spinning, and spin away the time of the very thread they wait for as
    # soon as anything else runs: twenty times slower on a busy machine. Read once, when the library is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    stop = _Stop()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    try:
        with _bound(settings) as listener:
            uvloop.run(_serve(settings, listener, stop))
    except (model.ModelUnusable, OSError) as error:
        log.error("%s", error)
        return 1
    return 0


class _Server(uvicorn.Server):
    """Lets what runs finish, and after a while tells it to break off, before uvicorn does so less politely."""

    def __init__(self, admission: Admission, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._admission = admission

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take nothing new, and finish."""
        timer = asyncio.get_running_loop().call_later(_STOP_SECONDS, self._admission.close)
        try:
            await super().shutdown(sockets)
        finally:
            timer.cancel()


class _Stop:
    """Takes the signals that uvicorn does not: those of the time before it serves, and the one that it raises again
    when it has stopped, which would end the process as if it had been killed."""

    def __init__(self) -> None:
        self.asked = False
        self.server: uvicorn.Server | None = None

    def __call__(self, *_: object) -> None:
        self.asked = True
        if self.server is not None:
            self.server.should_exit = True


async def _serve(settings: Settings, listener: socket.socket, stop: _Stop) -> None:
    started = time.perf_counter()
    file = model.verify(model.find(), settings.cache_folder)
    async with engine.opened(file.path, settings) as opened:
        admission = Admission(settings.slots, settings.queued)
        server = _Server(
            admission,
            uvicorn.Config(
                application(settings, file, opened, admission),
                lifespan="off",
                log_config=None,
                log_level=logging.WARNING,
                access_log=False,
                timeout_graceful_shutdown=_STOP_SECONDS + 2,
            ),
        )
        stop.server = server
        if stop.asked:
            return
        host, port = listener.getsockname()[:2]
        log.info("%s loaded in %.2f s, serving on http://%s:%d", model.NAME, time.perf_counter() - started, host, port)
        await server.serve(sockets=[listener])
    log.info("stopped")


def _bound(settings: Settings) -> socket.socket:
    """The address is taken before the model is loaded, so that a taken one is said at once; nobody is let in yet."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
    except OSError as error:
        listener.close()
        raise OSError(
            f"can't listen on {settings.host}:{settings.port}: {error.strerror}. "
            "Stop what listens there or set WASMFORGE_MODELSERVER to another host:port"
        ) from None
    return listener


if __name__ == "__main__":
    sys.exit(main())
