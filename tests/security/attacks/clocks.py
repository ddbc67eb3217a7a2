# ruff: noqa: E501 -- what is hostile stays in one piece
"""Clock, entropy, and what tells a plugin where it runs. The output of each must differ from call to call."""

from tests.security.attacks.attack import Attack

DIFFERENT = (
    Attack("random", "platform_sdk.send_output(random.getrandbits(128))"),
    Attack("a shuffle", "x = list(range(40)); random.shuffle(x); platform_sdk.send_output(x)"),
    Attack("a generator of its own", "platform_sdk.send_output(random.Random().getrandbits(128))"),
    Attack("the kernel's entropy", "platform_sdk.send_output(os.urandom(16).hex())"),
    Attack("secrets", "import secrets\nplatform_sdk.send_output(secrets.token_hex(16))"),
    Attack("UUIDs", "import uuid\nplatform_sdk.send_output(str(uuid.uuid4()) + str(uuid.uuid1()))"),
    Attack("the node of a UUID", "import uuid\nplatform_sdk.send_output(uuid.getnode())"),
    Attack(
        "names of temporary files", "import tempfile\nplatform_sdk.send_output(next(tempfile._get_candidate_names()))"
    ),
    Attack("boundaries of mail", "import email.generator as g\nplatform_sdk.send_output(g._make_boundary())"),
    Attack("a salt", "import crypt\nplatform_sdk.send_output(crypt.mksalt())"),
    Attack("time", "import time\nplatform_sdk.send_output(time.time_ns())"),
)

ATTACKS = (
    Attack(
        "how long the host is up",
        "import time\nplatform_sdk.send_output(10 <= time.monotonic() < 40 and 10 <= time.perf_counter() < 40)",
        output="True",
        fit=True,
    ),
    Attack("the time", "import time\nplatform_sdk.send_output(time.time() > 1_700_000_000)", output="True", fit=True),
    Attack(
        "the clock can't be set",
        "import time\nattempt(settime=lambda: time.clock_settime(0, 0), settz=lambda: (time.tzset(), 1/0))",
        output="{}",
        fit=True,
    ),
    Attack(
        "a clock that is none",
        "import time\nattempt(**{str(n): lambda n=n: time.clock_gettime(n) for n in (4, 9, -1, 1 << 30)})",
        error=("", "plugin_error"),
    ),
    Attack(
        "a great deal of entropy", "attempt(big=lambda: len(os.urandom(2 << 20)) and 1 / 0)\n", output="{}", fit=True
    ),
    Attack(
        "the zone of the host",
        "import time\nplatform_sdk.send_output([time.timezone, time.tzname[0]])",
        output='[0, "UTC"]',
        fit=True,
    ),
    Attack(
        "all that it knows of itself",
        """
        import platform, sysconfig
        told = [sys.version, sys.orig_argv, sys.path, sys.executable, sys.prefix, dict(os.environ), os.getcwd(), platform.uname(),
            os.uname(), os.getpid(), platform.platform(), platform.node(), os.cpu_count(), sys.flags, str(sysconfig.get_config_vars())]
        told += [repr(vars(m)) for m in list(sys.modules.values())]
        platform_sdk.send_output(repr(told)[:1_000_000])
        """,
        fit=True,
    ),
)
