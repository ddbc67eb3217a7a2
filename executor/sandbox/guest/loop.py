"""asyncio where nothing ever comes from outside: no sockets, no signals, no threads, only time."""

import asyncio
import selectors
import time


class _Clock(selectors._BaseSelectorImpl):
    """What an event loop waits with: it is time alone that passes."""

    def select(self, timeout=None):
        if timeout is None:
            raise RuntimeError("every task waits for something that can't happen any more")
        time.sleep(max(0, timeout))
        return []


class EventLoop(asyncio.SelectorEventLoop):
    """asyncio's own loop without the socket pair by which threads and signals wake it: there are none."""

    def __init__(self, selector=None):
        super().__init__(_Clock() if selector is None else selector)

    def _make_self_pipe(self):
        pass

    def _close_self_pipe(self):
        pass

    def _write_to_self(self):
        pass


def install():
    """Make it the loop that `asyncio.run` takes."""
    asyncio.SelectorEventLoop = asyncio.unix_events.SelectorEventLoop = EventLoop
    asyncio.DefaultEventLoopPolicy._loop_factory = EventLoop
