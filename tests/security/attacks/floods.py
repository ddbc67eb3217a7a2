"""Output and log: what is over a limit ends the call or is dropped, and costs nobody else."""

from schemas.limits import MIB
from tests.security.attacks.attack import Attack

ATTACKS = (
    Attack(
        "printed without end",
        "while True: print('x' * 1000)",
        error=("output_too_large", "timeout"),
        limits={"timeout_ms": 1000},
    ),
    Attack(
        "lines without end", "while True: print()", error=("output_too_large", "timeout"), limits={"timeout_ms": 500}
    ),
    Attack(
        "errors without end", "while True: sys.stderr.write('x' * 10_000)", error="timeout", limits={"timeout_ms": 500}
    ),
    Attack(
        "output without end", "while True: platform_sdk.send_output('x' * 10_000)", error="output_too_large", fit=False
    ),
    Attack(
        "nothing, without end",
        "while True: platform_sdk.send_output('')",
        error=("output_too_large", "timeout"),
        fit=False,
        limits={"timeout_ms": 1000},
    ),
    Attack("one output over the limit", "platform_sdk.send_output('x' * (1 << 20) + 'y')", error="output_too_large"),
    Attack(
        "an output at the limit",
        "platform_sdk.send_output('x' * (1 << 20))",
        output=lambda text: len(text) == MIB,
        fit=True,
    ),
    Attack(
        "two outputs at the limit",
        "platform_sdk.send_output('x' * ((1 << 19) - 1)); platform_sdk.send_output('x' * (1 << 19))",
        output=lambda text: len(text) == MIB,
        fit=True,
    ),
    Attack(
        "one byte over, by joining",
        "platform_sdk.send_output('x' * (1 << 19)); platform_sdk.send_output('x' * (1 << 19))",
        error="output_too_large",
    ),
    Attack("sixteen megabytes at once", "os.write(0, b'\\x10' + bytes((16 << 20) - 1))", error="output_too_large"),
    Attack("printed over the limit", "sys.stdout.write('x' * (2 << 20))", error="output_too_large"),
    Attack(
        "a log over its limit",
        "sys.stderr.write('x' * (1 << 20))\nplatform_sdk.send_output('ok')",
        output="ok",
        fit=True,
    ),
    Attack(
        "no log at all",
        "print('x' * 1000)\nplatform_sdk.send_output('ok')",
        output="ok",
        fit=True,
        limits={"log_bytes": 0},
    ),
    Attack(
        "bytes that are no text", "os.write(1, bytes(range(256)) * 10)", output=lambda text: len(text) > 1000, fit=True
    ),
    Attack(
        "control sequences",
        "print('\\x1b]0;owned\\x07\\x1b[2J\\r\\n\\0')",
        output="\x1b]0;owned\x07\x1b[2J\r\n\0\n",
        fit=True,
    ),
    Attack(
        "an error of megabytes", "raise ValueError('x' * (8 << 20))", error="plugin_error", says="left out", fit=True
    ),
)
