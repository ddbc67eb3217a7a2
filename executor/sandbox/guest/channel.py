"""Descriptor 0 is the channel: one write is one frame (kind byte, then payload), a read continues the host's answer."""

import gc
import json
import os

_CHANNEL = 0
_FIRST_READ = 32 * 1024
OUTPUT, REQUEST, RESULT, READY, CHUNK = b"\x10", b"\x11", b"\x12", b"\x13", b"\x14"


# What a plugin may have patched by the time it is needed again is bound here, as a default.
def send(frame, _write=os.write):
    """Write one frame: its kind and payload."""
    _write(_CHANNEL, frame)


def receive():
    """The payload of the next frame from the host: u32 length, then that many bytes."""
    data = os.read(_CHANNEL, _FIRST_READ)
    end = 4 + int.from_bytes(data[:4], "little")
    while len(data) < end:
        part = os.read(_CHANNEL, end - len(data))
        if not part:
            raise EOFError("the platform's answer ended early")
        data += part
    return data[4:]


def request(operation, arguments):
    """Ask the platform for something; waits for its answer."""
    frame = REQUEST + json.dumps({"operation": operation, "arguments": arguments}).encode()
    # A generator that is collected between the two closes its stream: one request in the middle of another.
    collecting = gc.isenabled()
    gc.disable()
    try:
        send(frame)
        answer = receive()
    finally:
        if collecting:
            gc.enable()
    return json.loads(answer)


def send_output(data):
    """Send one piece of output."""
    send(OUTPUT + data)


def send_chunk(data):
    """Send bytes of output that go on where the last piece ended."""
    send(CHUNK + data)
