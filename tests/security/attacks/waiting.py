# ruff: noqa: E501 -- what is hostile stays in one piece
"""Signals, threads and sleeping: one thread, no signals, and the deadline ends whoever waits."""

from tests.security.attacks.attack import NOTHING, Attack

_FAST = {"timeout_ms": 200}

ATTACKS = (
    Attack("an alarm", "import signal\nsignal.alarm(1)", error=("sandbox_violation", "plugin_error")),
    Attack(
        "handlers",
        """
        import signal
        signal.signal(signal.SIGINT, lambda *a: None)
        signal.raise_signal(2)
        platform_sdk.send_output('ok')
        """,
        error=("", "plugin_error"),
    ),
    *(
        Attack(
            f"signal {number} to itself",
            f"import signal\nsignal.raise_signal({number})",
            error=("", "plugin_error", "sandbox_violation"),
        )
        for number in (2, 6, 9, 11, 13, 15, 19)
    ),
    Attack(
        "every number there is",
        """
        import signal
        attempt(**{str(n): lambda n=n: signal.signal(n, signal.SIG_IGN) and 1/0 for n in range(-5, 200)})
        """,
        error="",
    ),
    Attack("a fault handler that faults", "import faulthandler\nfaulthandler._sigsegv()", error=("plugin_error", "")),
    Attack(
        "a fault handler that reads nothing",
        "import faulthandler\nfaulthandler._read_null()",
        error=("plugin_error", ""),
    ),
    Attack(
        "a fault handler that overflows",
        "import faulthandler\nfaulthandler._stack_overflow()",
        error=("plugin_error", "sandbox_violation"),
    ),
    Attack(
        "a fault handler that aborts",
        "import faulthandler\nfaulthandler._fatal_error_c_thread()",
        error=("plugin_error", "sandbox_violation"),
    ),
    Attack("a thread", "import threading\nthreading.Thread(target=print).start()", error="sandbox_violation"),
    Attack(
        "threads by every way",
        """
           import _thread, asyncio, concurrent.futures, threading
           def dummy(): import multiprocessing.dummy as m; return m.Pool(2)
           attempt(raw=lambda: _thread.start_new_thread(print, ()), pool=lambda: concurrent.futures.ThreadPoolExecutor().submit(print).result(1),
                   dummy=dummy, timer=lambda: threading.Timer(0, print).start(),
                   asyncio=lambda: asyncio.run(asyncio.to_thread(print)))
           """,
        output=NOTHING,
    ),
    Attack(
        "a lock taken twice",
        """
        import threading
        l = threading.Lock()
        l.acquire()
        l.acquire()
        """,
        error=("timeout", "plugin_error"),
        limits=_FAST,
    ),
    Attack("an empty queue", "import queue\nqueue.Queue().get()", error=("timeout", "plugin_error"), limits=_FAST),
    Attack(
        "an event that never comes",
        "import threading\nthreading.Event().wait()",
        error=("timeout", "plugin_error"),
        limits=_FAST,
    ),
    Attack("a sleep without end", "import time\ntime.sleep(1e9)", error="timeout", limits=_FAST, fit=False),
    Attack("sleeps without end", "import time\nwhile True: time.sleep(0)", error="timeout", limits=_FAST, fit=False),
    Attack(
        "a sleep that is no time",
        """
        import time
        attempt(**{str(t): lambda t=t: time.sleep(t) or 1/0 for t in (-1, 1e308, float('nan'), float('inf'), -0.0)})
        """,
        error=("", "timeout"),
        limits=_FAST,
    ),
    Attack(
        "a selection of nothing",
        "import select\nselect.select([], [], [], 1e6)",
        error=("timeout", "plugin_error"),
        limits=_FAST,
    ),
    Attack(
        "a poll of nothing",
        "import select\nselect.poll().poll(10_000_000)",
        error=("timeout", "plugin_error", "sandbox_violation", ""),
        limits=_FAST,
    ),
    Attack(
        "a future that never comes",
        "import asyncio\nasyncio.run(asyncio.Event().wait())",
        error="plugin_error",
        says="can't happen",
    ),
    Attack(
        "tasks without end",
        """
        import asyncio
        async def f():
            while True: await asyncio.sleep(0)
        asyncio.run(f())
        """,
        error="timeout",
        limits=_FAST,
    ),
    Attack(
        "it yields", "for _ in range(1000): os.sched_yield()\nplatform_sdk.send_output('ok')", output="ok", fit=True
    ),
    Attack(
        "a timer at a fork", "import signal\nsignal.setitimer(0, 0.01)", error=("sandbox_violation", "plugin_error")
    ),
)
