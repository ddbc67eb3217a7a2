"""Which modules of the standard library work in a plugin, as a document.

Every one is imported in the sandbox itself, and what is said not to work there is tried.
"""

import asyncio
import json
import textwrap
from collections.abc import Iterable

from executor.pool import Pool
from executor.prepared import PREPARE_SECONDS, OneRun
from executor.sandbox import frames
from executor.sandbox.bundle import MAIN
from executor.sandbox.guest.absent import FILES, NETWORK, PROCESSES, REASONS, THREADS
from executor.sandboxes import Exit, Sandbox
from schemas.limits import Limits

_RUN_SECONDS = 60.0
_BUILT_WITHOUT = "it was built without OpenSSL"

PARTLY = {
    "asyncio": ("asyncio.run(asyncio.to_thread(print))", "threads, connections and processes", THREADS),
    "concurrent.futures": ("concurrent.futures.ThreadPoolExecutor", "its executors", THREADS),
    "dbm": ("dbm.open('x', 'c')", "opening", FILES),
    "ftplib": ("ftplib.FTP('127.0.0.1')", "connecting", NETWORK),
    "getpass": ("getpass.getuser()", "asking", "there is nobody to ask"),
    "hashlib": ("hashlib.scrypt(b'', salt=b'', n=2, r=1, p=1)", "`pbkdf2_hmac`, `scrypt`, `ripemd160`", _BUILT_WITHOUT),
    "http.client": ("http.client.HTTPConnection('127.0.0.1').connect()", "connecting", NETWORK),
    "http.server": ("http.server.HTTPServer(('127.0.0.1', 0), None)", "serving", NETWORK),
    "imaplib": ("imaplib.IMAP4('127.0.0.1')", "connecting", NETWORK),
    "mailbox": ("mailbox.mbox('x').add('y')", "mailboxes on a disk", FILES),
    "nntplib": ("nntplib.NNTP('127.0.0.1')", "connecting", NETWORK),
    "os": ("os.mkdir('x')", "writing files, starting processes", FILES),
    "pathlib": ("pathlib.Path('x').write_text('')", "writing files", FILES),
    "poplib": ("poplib.POP3('127.0.0.1')", "connecting", NETWORK),
    "shelve": ("shelve.open('x')", "opening", FILES),
    "shutil": ("shutil.copy('plugin.py', 'x')", "copying and moving files", FILES),
    "signal": ("signal.alarm(1)", "alarms and signals to processes", PROCESSES),
    "smtplib": ("smtplib.SMTP('127.0.0.1')", "connecting", NETWORK),
    "socket": ("socket.socket()", "sockets", NETWORK),
    "socketserver": ("socketserver.TCPServer(('127.0.0.1', 0), None)", "serving", NETWORK),
    "sqlite3": ("sqlite3.connect('x').execute('create table t(c)')", "databases on a disk; `:memory:` works", FILES),
    "subprocess": ("subprocess.run(['true'])", "starting processes", PROCESSES),
    "telnetlib": ("telnetlib.Telnet('127.0.0.1')", "connecting", NETWORK),
    "tempfile": ("tempfile.TemporaryFile()", "files on a disk; `SpooledTemporaryFile` works in memory", FILES),
    "threading": ("threading.Thread(target=print).start()", "starting threads; locks work", THREADS),
    "urllib.request": ("urllib.request.urlopen('http://127.0.0.1')", "opening URLs", NETWORK),
    "wsgiref": ("__import__('wsgiref.simple_server').simple_server.make_server('', 0, None)", "serving", NETWORK),
    "xmlrpc": ("__import__('xmlrpc.client').client.ServerProxy('http://127.0.0.1').x()", "calling", NETWORK),
    "zoneinfo": ("zoneinfo.ZoneInfo('UTC')", "named zones", "put the package tzdata into your zip"),
}  # fmt: skip
"""By module: what is tried and must fail, what that stands for, and why."""

_PROBE = """
import json, sys, warnings
from platform_sdk import send_output
warnings.simplefilter("ignore")
failed, works = {}, []
noisy = "antigravity", "idlelib", "this", "turtledemo"
for name in sorted(sys.stdlib_module_names):
    if name.startswith("_") and name != "__future__" or name in noisy:
        continue
    try:
        __import__(name)
        works.append(name)
    except ImportError as error:
        failed[name] = str(error.name or name).removeprefix("_")
unexpected = []
for name, expression in PARTLY.items():
    try:
        __import__(name)
        eval(expression, {name.partition(".")[0]: sys.modules[name.partition(".")[0]]})
        unexpected.append(name)
    except Exception:
        pass
send_output({"works": works, "failed": failed, "unexpected": unexpected, "version": sys.version.partition(" ")[0]})
"""


class _Output(OneRun):
    """Collects what a run sends."""

    def __init__(self) -> None:
        super().__init__()
        self.output = bytearray()

    def on_frame(self, kind: int, payload: bytes) -> None:
        """Keep it."""
        super().on_frame(kind, payload)
        if kind == frames.OUTPUT:
            self.output += payload

    async def task(self, sandbox: Sandbox) -> Exit | None:
        """Run the prepared plugin once."""
        async with asyncio.timeout(_RUN_SECONDS):
            sandbox.call(frames.TASK, (bytes(frames.TASK_HEADER.size),), self)
            return await self._done


async def table(pool: Pool) -> str:
    """The document, out of a sandbox of this pool.

    Raises:
        RuntimeError: the sandbox is not as `PARTLY` says, or the probe did not end well.
    """
    source = f"PARTLY = { ({name: tried for name, (tried, _, _) in PARTLY.items()})!r}\n{_PROBE}"
    sandbox = await pool.lease_new(Limits().memory_bytes)
    try:
        prepared = OneRun()
        await prepared.of(sandbox, frames.PREPARE, {MAIN: source.encode()}, PREPARE_SECONDS)
        run = _Output()
        await run.task(sandbox)
    finally:
        pool.give_back(sandbox, None)
    if prepared.error_type or run.error_type or not run.output:
        raise RuntimeError(f"the probe failed: {(run.text or prepared.text or b'').decode()}")
    found = json.loads(run.output)
    if found["unexpected"]:
        raise RuntimeError(f"said not to work, but it does: {', '.join(found['unexpected'])}")
    return _document(found["version"], found["works"], found["failed"])


def _document(version: str, works: list[str], failed: dict[str, str]) -> str:
    whole = [name for name in works if name not in PARTLY]
    partly = [(name, what, why) for name, (_, what, why) in sorted(PARTLY.items())]
    missing = [(name, _reason(name, because)) for name, because in failed.items()]
    return "\n".join(
        (
            "# The standard library in a plugin",
            "",
            "Made by `python -m executor.modules > docs/modules.md`, which imports every module in the sandbox itself "
            f"(CPython {version}),",
            "and tries what is said not to work. A test compares. How to bring other packages along: "
            "[plugins.md](plugins.md).",
            "",
            f"## What works: {len(whole)} modules",
            "",
            textwrap.fill(", ".join(f"`{name}`" for name in whole), 120, break_on_hyphens=False),
            "",
            "## What is there but for a part",
            "",
            *_rows(("module", "what does not work", "why"), partly),
            "",
            "## What can't be imported",
            "",
            "An upload that imports one of these is refused with its line, unless it does so inside `try` or `if`.",
            "",
            *_rows(("module", "why"), missing),
            "",
        )
    )


def _rows(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    return lines + [f"| `{name}` | {' | '.join(rest)} |" for name, *rest in rows]


def _reason(name: str, because: str) -> str:
    return REASONS.get(name) or REASONS.get(because) or "this Python was built without what it needs"
