"""One call of the prepared plugin."""

import atexit
import os
import random

from .channel import receive
from .errors import report
from .prepare import prepared
from .sdk import transport
from .streams import fill_input, flush

_TASK_HEADER = 53
_callbacks_before = atexit._ncallbacks()


# What a plugin may have patched by the time it is needed again is bound here, as a default.
def serve(_exec=exec, _report=report, _flush=flush):
    """Read the task, run the plugin, report. Whatever the plugin did to this interpreter ends with it."""
    error = None
    try:
        data = transport.input = receive()[_TASK_HEADER:]
        # Seeded before the snapshot, every call would draw the same numbers.
        random.seed(int.from_bytes(os.urandom(32), "little"))
        fill_input(data)
        del data
        _exec(*prepared)
        if atexit._ncallbacks() > _callbacks_before:
            atexit._run_exitfuncs()
    except BaseException as caught:
        error = caught
    _flush()
    _report(error)
