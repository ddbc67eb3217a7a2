# ruff: noqa: E501 -- what is hostile stays in one piece
"""A guest that has taken over its interpreter: it reads and writes all of its linear memory, and there it ends.

CPython trusts its bytecode, so a plugin that writes its own makes the interpreter take any number for an object. What
these plugins take it for is a ``bytearray`` over all of memory; from there on nothing in the guest is safe from them.
"""

from tests.security.attacks.attack import Attack

ALL_MEMORY = '''
import struct
def load(address):
    """The object at an address: a constant that lies beyond the table of constants (12 bytes into a tuple, 32 bits each)."""
    cell = struct.pack("<I", address)
    consts = (None,)
    index = ((id(cell) + 16 - id(consts) - 12) % (1 << 32)) // 4
    code = b"\\x97\\x00" + b"".join(bytes((0x90, index >> shift & 255)) for shift in (24, 16, 8)) + bytes((0x64, index & 255)) + b"\\x53\\x00"
    def f(): pass
    f.__code__ = f.__code__.replace(co_consts=consts, co_code=code, co_stacksize=4)
    return f(), cell
body = struct.pack("<IIIIIII", 1 << 20, id(bytearray), 0x7fffffff, 0x7fffffff, 0, 0, 0)
memory, kept = load(id(body) + 16)
assert type(memory) is bytearray
'''

ATTACKS = (
    Attack(
        "it reads its own memory",
        ALL_MEMORY + "x = b'find' + b' me'\nprint(memory[id(x) + 16:id(x) + 23])",
        output="bytearray(b'find me')\n",
        fit=True,
    ),
    Attack(
        "it reads beyond its memory",
        ALL_MEMORY + "for n in range(0, 0x7fffffff, 1 << 20): memory[n]",
        error="plugin_error",
        fit=False,
    ),
    Attack("it reads far beyond", ALL_MEMORY + "memory[0x7ffffff0]", error="plugin_error", fit=False),
    Attack("it writes beyond its memory", ALL_MEMORY + "memory[0x7ffffff0] = 1", error="plugin_error", fit=False),
    Attack("it copies far too much", ALL_MEMORY + "memory[0:0x7ffffff0]", error=("plugin_error", "out_of_memory")),
    Attack(
        "it overwrites everything",
        ALL_MEMORY + "for n in range(1 << 16, 40 << 20, 4096): memory[n:n + 4096] = b'\\xff' * 4096",
        error="plugin_error",
        fit=False,
    ),
    Attack(
        "it scatters rubbish",
        ALL_MEMORY + "for n in range(20_000): memory[random.randrange(40 << 20)] = n & 255",
        error=("plugin_error", "", "timeout", "out_of_memory", "sandbox_violation", "output_too_large"),
        limits={"timeout_ms": 2000},
    ),
    Attack(
        "it changes a small number",
        ALL_MEMORY + "memory[id(2) + 12] = 3",
        error=("", "plugin_error"),
        limits={"timeout_ms": 2000},
    ),
    Attack(
        "it changes a frozen text",
        ALL_MEMORY + "n = id('utf-8') + 24\nmemory[n:n + 5] = b'ascii'",
        error=("", "plugin_error"),
    ),
    *(
        Attack(
            f"it calls entry {slot} of the function table",
            ALL_MEMORY + f"class T: pass\nt = T()\nmemory[id(T) + 64:id(T) + 68] = struct.pack('<I', {slot})\nt(1, 2)",
            error=("plugin_error", "", "out_of_memory", "timeout", "sandbox_violation"),
            limits={"timeout_ms": 1000},
        )
        for slot in (0, 1, 2, 3, 17, 100, 999, 2500, 5902, 5903, 1 << 20, (1 << 32) - 1)
    ),
    Attack(
        "it changes what is to serve the next call",
        ALL_MEMORY
        + "import types\nf = next(f for f in gc.get_objects() if type(f) is types.FunctionType and f.__name__ == '_serve')\n"
        "memory[id(f):id(f) + 64] = b'\\x41' * 64",
        error=("", "plugin_error", "timeout"),
        limits={"timeout_ms": 2000},
    ),
    Attack(
        "it moves its stack",
        ALL_MEMORY + "memory[0x40000:0x80000] = b'\\0' * 0x40000",
        error=("", "plugin_error", "timeout", "out_of_memory"),
        limits={"timeout_ms": 2000},
    ),
)

SEARCH = (
    ALL_MEMORY
    + """
table = bytes((n + 1) % 256 for n in range(256))
found = []
for n in range(0, 40 << 20, 1 << 16):
    page = memory[n:n + (1 << 16) + 64].translate(table)
    found += [n for word in (SECRETS) if word in page]
platform_sdk.send_output(found)
"""
)
"""Looks in all of memory for words, which are given with 1 added to each byte, so that it does not find itself."""


def disguised(word: bytes) -> bytes:
    """A word as `SEARCH` wants it."""
    return bytes(byte + 1 for byte in word)
