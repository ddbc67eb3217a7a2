# ruff: noqa: E501 -- what is hostile stays in one piece
"""Memory: all that a plugin can take is its own limit, and its own call is what ends."""

from schemas.limits import MIB
from tests.security.attacks.attack import Attack

_TAKEN = {"error": "out_of_memory"}

ATTACKS = (
    Attack("one array over the limit", "bytearray(1 << 30)", fit=True, **_TAKEN),
    Attack("one array over 32 bits", "bytearray(1 << 33)", error=("out_of_memory", "plugin_error"), fit=True),
    Attack("a text over the limit", "x = 'x' * (1 << 30)", fit=True, **_TAKEN),
    Attack("text that doubles", "x = 'x'\nwhile True: x += x", fit=False, **_TAKEN),
    Attack("a list without end", "x = []\nwhile True: x.append(bytearray(1 << 16))", fit=False, **_TAKEN),
    Attack(
        "small objects without end",
        """
        gc.disable()
        x = [bytearray(16 << 20)]
        while True: x.append([[], [], [], [], [], [], [], []])
        """,
        fit=False,
        error=("out_of_memory", "plugin_error"),
        limits={"memory_bytes": 64 * MIB},
    ),
    Attack("a number of a billion bits", "x = 1 << (1 << 33)", error=("out_of_memory", "plugin_error"), fit=True),
    Attack("a power tower", "x = 9 ** 9 ** 9", error=("timeout", "out_of_memory"), limits={"timeout_ms": 300}),
    Attack(
        "a tuple of everything",
        "import itertools\nlist(itertools.product(range(100), repeat=6))",
        fit=False,
        limits={"memory_bytes": 64 * MIB},
        error=("out_of_memory", "plugin_error"),
    ),
    Attack(
        "caught, and on it goes",
        """
        for _ in range(50):
            try: bytearray(1 << 30)
            except MemoryError: pass
        platform_sdk.send_output('alive')
        """,
        output="alive",
        fit=True,
    ),
    Attack(
        "a big one that fits",
        "x = bytearray(40 << 20)\nplatform_sdk.send_output(len(x))",
        output=str(40 << 20),
        fit=False,
    ),
    Attack(
        "an archive that unpacks to gigabytes",
        "import gzip\ngzip.decompress(gzip.compress(bytes(4 << 20), 1) * 128)",
        error=("out_of_memory", "plugin_error"),
        fit=False,
    ),
    Attack("a number of a million digits", "int('9' * 1_000_000)", error="plugin_error", says="4300", fit=True),
    Attack("widths of a gigabyte", "format(1, '0>1999999999')", fit=True, **_TAKEN),
    Attack("repeated in a pattern", "import struct\nstruct.pack('2000000000s', b'')", fit=True, **_TAKEN),
    Attack("a range as a list", "list(range(1 << 31))", error=("out_of_memory", "plugin_error"), fit=True),
    Attack(
        "a view beyond its end",
        """
           v = memoryview(bytearray(16))
           def cast(shape): return v.cast('B', shape)[0]
           attempt(over=lambda: v[16], under=lambda: v[-17], wide=lambda: v.cast('Q')[2], shape=lambda: cast([1 << 31, 2]),
                   shapes=lambda: cast([4, 5]), released=lambda: (v.release(), v[0]))
           """,
        output="{}",
        fit=True,
    ),
    Attack(
        "structs beyond their end",
        """
           import struct
           attempt(over=lambda: struct.unpack_from('<Q', bytes(8), 1), under=lambda: struct.unpack_from('<Q', bytes(8), -9),
                   into=lambda: struct.pack_into('<Q', bytearray(8), 4, 1), size=lambda: struct.Struct('9' * 30 + 's'))
           """,
        output="{}",
        fit=True,
    ),
    Attack(
        "an array resized under its view",
        """
        a = bytearray(16)
        v = memoryview(a)
        attempt(grow=lambda: a.extend(bytes(1 << 20)), clear=lambda: a.clear())
        """,
        output="{}",
        fit=True,
    ),
)
