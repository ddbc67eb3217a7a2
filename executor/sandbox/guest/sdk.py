"""``platform_sdk``, and the module ``_wasmforge`` by which it reaches the platform."""

import sys
import types

from . import channel

transport = types.ModuleType("_wasmforge")
"""What the SDK calls; its ``input`` is set before each call."""
transport.input = b""
transport.send_output = channel.send_output
transport.send_chunk = channel.send_chunk
transport.request = channel.request


def install(source):
    """Make both importable; returns the SDK."""
    sys.modules["_wasmforge"] = transport
    module = types.ModuleType("platform_sdk")
    sys.modules["platform_sdk"] = module
    exec(compile(source, "platform_sdk.py", "exec"), module.__dict__)
    return module
