"""What this Python lacks, and why."""

NETWORK, PROCESSES = "a plugin has no network", "a plugin can't start processes"
THREADS, NATIVE = "a plugin has one thread", "a plugin can't load native code"
FILES = "a plugin has no files but its own, which can only be read"
_WINDOWS, _TERMINAL = "it is for Windows", "a plugin has no terminal and no screen"
_HOST, _LEFT_OUT = "a plugin sees nothing of the host", "it was left out of this Python"

REASONS = {
    "posixsubprocess": PROCESSES,
    "concurrent.futures.process": PROCESSES,
    "concurrent.futures.thread": THREADS,
    "concurrent.futures.ThreadPoolExecutor": THREADS,
    "concurrent.futures.ProcessPoolExecutor": PROCESSES,
    "ctypes": NATIVE,
}
"""By the name of a module or of what it holds, without the underscore that some names begin with."""

for _why, _names in {
    NETWORK: "socket ssl",
    PROCESSES: "multiprocessing pty webbrowser",
    _WINDOWS: "msilib msvcrt nt winreg winsound",
    _TERMINAL: "curses readline rlcompleter termios tkinter tty turtle",
    _HOST: "fcntl grp mmap nis ossaudiodev pwd resource spwd syslog",
    _LEFT_OUT: "ensurepip lib2to3 lzma pydoc_data uu venv xdrlib",
}.items():
    REASONS |= dict.fromkeys(_names.split(), _why)

for _module, _why, _names in (
    ("socket", NETWORK, "getaddrinfo gethostbyaddr gethostbyname gethostbyname_ex getnameinfo"),
    ("os", PROCESSES, "execl execv execve execvp fork forkpty kill killpg popen posix_spawn spawnl spawnv system"),
):
    for _name in _names.split():
        REASONS[f"{_module}.{_name}"] = _why
