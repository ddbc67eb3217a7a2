"""Standard input, output and error as a plugin finds them."""

import io
import sys

_stdin = io.BytesIO()


def install_output():
    """A line at a time, so that the log of a plugin that gets killed is there up to its last line."""
    sys.stdout = io.TextIOWrapper(open(1, "wb"), "utf-8", "replace", line_buffering=True)
    sys.stderr = io.TextIOWrapper(open(2, "wb"), "utf-8", "backslashreplace", line_buffering=True)
    sys.__stdout__, sys.__stderr__ = sys.stdout, sys.stderr


def install_input():
    """An empty standard input, which `fill_input` fills."""
    sys.stdin = io.TextIOWrapper(_stdin, "utf-8", "replace")


def fill_input(data):
    """Let standard input hold the input of this call."""
    _stdin.write(data)
    _stdin.seek(0)


def flush():
    """Print what is left; a plugin may have replaced these by anything."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        pass
