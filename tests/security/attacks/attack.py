# ruff: noqa: E501 -- what is hostile stays in one piece
"""What a hostile plugin is in this corpus, and what every one of them begins with."""

from collections.abc import Callable
from dataclasses import dataclass, field

PROBE = b"\0probe"
"""An input on which every plugin of the corpus tells what it finds in its interpreter, instead of attacking."""
PROBE_ALL = PROBE + b" all"
"""The same, with all modules that are loaded, which takes long."""

Check = Callable[[str], bool]

PREAMBLE = '''\
import gc, json, os, random, sys, platform_sdk
def attempt(**calls):
    """Send what was not refused, as JSON: {name: repr of what came back}."""
    done = {}
    for name, call in calls.items():
        try:
            done[name] = repr(call())[:300]
        except BaseException:
            pass
    platform_sdk.send_output(done)
def fingerprint(everywhere):
    """Everything of an interpreter that a call could have left changed; ids are addresses, so they say what is where."""
    import atexit, codecs, decimal, linecache, locale, logging, re, signal, warnings
    found = {}
    found["modules"] = hash(tuple(sys.modules)), len(sys.modules)
    some = "builtins sys os posix json json.encoder random platform_sdk io re types gc time struct codecs collections asyncio".split()
    for name in sys.modules if everywhere else some:
        if name not in ("__main__", "_wasmforge") and name in sys.modules:
            inside = vars(sys.modules[name])
            found["module " + name] = hash((*inside, *map(id, inside.values())))
    transport = vars(sys.modules["_wasmforge"])
    found["transport"] = [(name, id(value)) for name, value in transport.items() if name != "input"]
    for kind in (int, str, dict, list, type, object, BaseException):
        found["type " + kind.__name__] = hash((*vars(kind), *map(id, vars(kind).values())))
    found["types"] = len(object.__subclasses__())
    found["objects"] = len(gc.get_objects())
    found["gc"] = gc.isenabled(), gc.get_threshold(), gc.get_freeze_count(), len(gc.callbacks), len(gc.garbage)
    found["sys"] = (sys.getrecursionlimit(), sys.getswitchinterval(), repr(sys.gettrace()), repr(sys.getprofile()),
                    sys.path, sys.argv, len(sys.meta_path), len(sys.path_hooks), len(sys.path_importer_cache))
    found["hooks"] = id(sys.excepthook), id(sys.displayhook), id(sys.unraisablehook), id(sys.breakpointhook)
    found["descriptors"] = {}
    for number in range(12):
        try:
            found["descriptors"][number] = list(os.fstat(number))[:4]
        except OSError as error:
            found["descriptors"][number] = error.errno
    found["environment"] = dict(os.environ), os.getcwd()
    found["caches"] = sorted(linecache.cache), len(re._cache), len(warnings.filters), atexit._ncallbacks()
    found["logging"] = len(logging.root.handlers), logging.root.level, sorted(logging.root.manager.loggerDict)
    found["locale"] = locale.setlocale(locale.LC_ALL), repr(decimal.getcontext()), codecs.lookup("utf-8").name
    found["signals"] = [repr(signal.getsignal(number)) for number in (2, 6, 15)]
    found["streams"] = sys.stdout.encoding, sys.stdout.errors, sys.stdout.closed, sys.stderr.closed, sys.stdin.read()
    found["globals"] = sorted(globals())
    found["two and two"] = 2 + 2, str(257), json.dumps({"a": [1]}), len("abc"), sorted([3, 1, 2])
    return found
if platform_sdk.get_input_bytes()[:6] == b"\\0probe":
    platform_sdk.send_output(fingerprint(platform_sdk.get_input_bytes()[6:]))
    raise SystemExit
'''


@dataclass(frozen=True)
class Attack:
    """A hostile plugin and what must come of it.

    Args:
        source: the plugin, in which `PREAMBLE` comes first.
        error: the error type it must end with (one of these if several); empty: it must end well.
        output: what it must have sent, or what must hold of that.
        says: what the text of the error must hold.
        fit: whether its process must take another call; None: it may.
        bare: the source is used without the preamble.
    """

    name: str
    source: str
    data: bytes = b""
    error: str | tuple[str, ...] = ""
    output: str | Check | None = None
    says: str = ""
    fit: bool | None = None
    bare: bool = False
    limits: dict[str, int] = field(default_factory=dict)


NOTHING = "{}"
"""What `attempt` sends when everything was refused."""
