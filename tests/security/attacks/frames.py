# ruff: noqa: E501 -- what is hostile stays in one piece
"""The channel itself: forged frames, floods, requests and replies out of order."""

from tests.security.attacks.attack import NOTHING, Attack

_ASK = 'b"\\x11" + json.dumps({"operation": "generate", "arguments": {"model": "m", "prompt": "p"}}).encode()'
_SEND = "import platform_sdk as p\n"

ATTACKS = (
    Attack(
        "kinds that are not a guest's",
        "attempt(**{str(kind): lambda kind=kind: os.write(0, bytes([kind]) + b'x') for kind in range(256) if kind not in (16, 17, 18, 20)})",
        output=NOTHING,
        fit=True,
    ),
    Attack(
        "an empty frame",
        "attempt(empty=lambda: os.write(0, b''), parts=lambda: os.writev(0, [b'', b'']))",
        output=NOTHING,
        fit=True,
    ),
    Attack(
        "a frame over its limit",
        "attempt(big=lambda: os.write(0, b'\\x10' + bytes(17 << 20)), parts=lambda: os.writev(0, [b'\\x10' + bytes(9 << 20), bytes(9 << 20)]))",
        output=NOTHING,
        limits={"memory_bytes": 256 << 20},
    ),
    Attack(
        "frames inside of frames",
        "platform_sdk.send_output(b'\\x05\\0\\0\\0\\x12\\0evil' + b'\\x15\\0\\0\\0\\x21' + bytes(23))",
        output=lambda text: text.startswith("\x05\0\0\0\x12\0evil"),
        fit=True,
    ),
    Attack(
        "frames on its printed text",
        "os.write(1, b'\\x15\\0\\0\\0\\x21' + bytes(23))\nos.write(1, b'\\x05\\0\\0\\0\\x10evil')",
        output=lambda text: text.startswith("\x15"),
        fit=True,
    ),
    Attack(
        "an end of its own", "os.write(0, b'\\x12\\0')\n1/0", error="plugin_error", says="ZeroDivisionError", fit=True
    ),
    Attack(
        "an error of its own",
        "os.write(0, b'\\x12runtime_error\\0the platform is broken')\nplatform_sdk.send_output('ok')",
        output="ok",
        fit=True,
    ),
    *(
        Attack(
            f"ends as {kind or 'well'}, then dies",
            f"os.write(0, b'\\x12{kind}\\0forged')\nos.abort()",
            error="plugin_error",
            fit=False,
        )
        for kind in ("", "timeout", "runtime_error", "busy")
    ),
    Attack(
        "types of errors that it can't have",
        """
        sys.modules['__main__'].__dict__['x'] = 1
        for f in gc.get_objects():
            if getattr(f, '__name__', '') == '_report':
                f.__code__ = (lambda error, _write=None: os.write(0, b'\\x12not_found\\0404')).__code__
        """,
        error=("", "plugin_error"),
        fit=True,
    ),
    Attack(
        "an AI error of an unknown code",
        "raise platform_sdk.AIError('x\\r\\nNats-Service-Error-Code: 200', 'no\\r\\nsuch')",
        error="ai_error",
    ),
    Attack(
        "results that are no text",
        "os.write(0, b'\\x12' + bytes(range(128, 256)) + b'\\0' + bytes(range(128, 256)))\nos._exit(0)",
        error="",
        fit=False,
    ),
    Attack(
        "thousands of results",
        "for _ in range(20_000): os.write(0, b'\\x12x\\0y')\nplatform_sdk.send_output('ok')",
        error="sandbox_violation",
        fit=False,
    ),
    Attack(
        "results of megabytes",
        "x = b'\\x12' + bytes(12 << 20)\nfor _ in range(200): os.write(0, x)",
        error="sandbox_violation",
        fit=False,
        limits={"timeout_ms": 10_000},
    ),
    Attack("a reply that it does not read", f"os.write(0, {_ASK})", error="", fit=False),
    Attack("half of a reply", f"os.write(0, {_ASK})\nos.read(0, 6)\nplatform_sdk.send_output('ok')", output="ok"),
    Attack(
        "a question on a question",
        f"os.write(0, {_ASK})\nos.write(0, {_ASK})\nimport time\ntime.sleep(5)",
        error=("sandbox_violation", "timeout"),
        fit=False,
        limits={"timeout_ms": 300},
    ),
    Attack(
        "more of a reply than there is",
        f"os.write(0, {_ASK})\nn = 0\nwhile d := os.read(0, 7): n += len(d)\nplatform_sdk.send_output('ok')",
        output="ok",
        fit=True,
    ),
    Attack(
        "a request that is no JSON",
        "attempt(a=lambda: platform_sdk._request.__globals__['_sandbox']().request(float('nan'), {}))",
        error=("", "plugin_error"),
    ),
    Attack(
        "requests of rubbish",
        """
           rubbish = [b"", b"{}", b"[]", b"null", b"\\xff\\xfe", b'{"operation": 1}', b'{"operation": "generate"}', b"[" * 100_000,
                      b'{"operation": "x", "arguments": ' + b'{"a":' * 5_000 + b"1" + b"}" * 5_000 + b"}",
                      b'{"operation": "generate", "arguments": {"model": {}, "prompt": []}}', b"9" * 10_000, bytes(600_000)]
           for request in rubbish:
               os.write(0, b"\\x11" + request)
               size = int.from_bytes(os.read(0, 4), "little")
               reply = b""
               while len(reply) < size:
                   reply += os.read(0, size - len(reply))
               assert json.loads(reply)["ok"] is False
           platform_sdk.send_output("all refused")
           """,
        output="all refused",
        fit=True,
    ),
    Attack(
        "operations that are not there",
        """
        import _wasmforge
        print([_wasmforge.request(o, {})['ok'] for o in ('eval', '../generate', 'generate ', '', '__class__', 'wasmforge.ai.generate')])
        """,
        output="[False, False, False, False, False, False]\n",
        fit=True,
    ),
    Attack(
        "models without end",
        """
        for _ in range(200):
            try: platform_sdk.list_models()
            except platform_sdk.AIError as e: last = e.code
        print(last)
        """,
        output="too_many_calls\n",
        fit=True,
    ),
    Attack(
        "more AI calls than it has",
        """
        for _ in range(20):
            try: platform_sdk.call_ai('m', 'p')
            except platform_sdk.AIError as e: last = e.code
        print(last)
        """,
        output="too_many_calls\n",
        fit=True,
    ),
    Attack(
        "requests without end",
        "import _wasmforge\nwhile True: _wasmforge.request('x', {})",
        error=("sandbox_violation", "timeout"),
        fit=False,
        limits={"timeout_ms": 20_000},
    ),
    Attack(
        "the checkpoint again",
        """
        import time
        for n in range(100): time.clock_getres(time.CLOCK_MONOTONIC)
        platform_sdk.send_output('ok')
        """,
        output="ok",
        fit=True,
    ),
    Attack(
        "ready again",
        "import struct\nattempt(ready=lambda: os.write(0, b'\\x13' + struct.pack('<5I', 0, 0, 0, 0, 0)))",
        output=NOTHING,
        fit=True,
    ),
)
