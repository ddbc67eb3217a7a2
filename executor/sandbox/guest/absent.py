"""What this Python lacks because of what it would do."""

NETWORK, PROCESSES = "a plugin has no network", "a plugin can't start processes"
THREADS, NATIVE = "a plugin has one thread", "a plugin can't load native code"

REASONS = {
    "socket": NETWORK,
    "ssl": NETWORK,
    "posixsubprocess": PROCESSES,
    "multiprocessing": PROCESSES,
    "concurrent.futures.process": PROCESSES,
    "concurrent.futures.thread": THREADS,
    "ctypes": NATIVE,
}
"""By the name of a module or of what it holds, without the underscore that some names begin with."""

for _module, _names, _why in (
    ("socket", "getaddrinfo gethostbyaddr gethostbyname gethostbyname_ex getnameinfo", NETWORK),
    ("os", "execl execv execve execvp fork forkpty kill killpg popen posix_spawn spawnl spawnv system", PROCESSES),
):
    for _name in _names.split():
        REASONS[f"{_module}.{_name}"] = _why
