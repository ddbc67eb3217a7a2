"""What a hostile plugin is in this corpus, and what every one of them begins with."""

from collections.abc import Callable
from dataclasses import dataclass, field

PROBE = b"\0probe"
"""An input on which every plugin of the corpus tells what it finds in its interpreter, instead of attacking."""

Check = Callable[[str], bool]

PREAMBLE = '''\
import gc, hashlib, json, os, random, sys, platform_sdk
def attempt(**calls):
    """Send what was not refused, as JSON: {name: repr of what came back}."""
    done = {}
    for name, call in calls.items():
        try:
            done[name] = repr(call())[:300]
        except BaseException:
            pass
    platform_sdk.send_output(done)
def fingerprint():
    """Everything of an interpreter that a call could have left changed; ids are addresses, so they say what is where."""
    import atexit, codecs, decimal, linecache, locale, logging, re, signal, warnings
    found = {}
    for name, module in sorted(sys.modules.items()):
        if name != "__main__":
            text = repr(sorted((key, id(value)) for key, value in vars(module).items() if key != "input"))
            found["module " + name] = hashlib.sha256(text.encode()).hexdigest()[:12]
    for kind in (int, str, dict, list, type, object, BaseException):
        found["type " + kind.__name__] = repr(sorted((key, id(value)) for key, value in vars(kind).items()))
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
if platform_sdk.get_input_bytes() == b"\\0probe":
    platform_sdk.send_output(fingerprint())
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
