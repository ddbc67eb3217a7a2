"""A plugin can't start, signal or see processes; it can end its own interpreter, and nothing else."""

from tests.security.attacks.attack import NOTHING, Attack

ATTACKS = (
    Attack("a shell", "os.system('id')", error="sandbox_violation"),
    Attack("a subprocess", "import subprocess\nsubprocess.run(['id'])", error="sandbox_violation"),
    Attack("a pipe to a shell", "os.popen('id').read()", error="sandbox_violation"),
    Attack("a fork", "os.fork()", error="sandbox_violation"),
    Attack("another program", "os.execv('/bin/sh', ['sh'])", error="sandbox_violation"),
    Attack(
        "the primitives below",
        """
        def posixsubprocess(): import _posixsubprocess; return _posixsubprocess
        def multi(): import multiprocessing; return multiprocessing.Process(target=print).start()
        def pool(): import concurrent.futures as f; return f.ProcessPoolExecutor(1).submit(print).result(1)
        def pty(): import pty; return pty.spawn("/bin/sh")
        def browser(): import webbrowser; return webbrowser.get("sh %s").open("x")
        def execvpe(): return os._execvpe("sh", ["sh"], {})
        def asynchronous(): import asyncio; return asyncio.run(asyncio.create_subprocess_exec("id"))
        def shared(): import multiprocessing.shared_memory as m; return m.SharedMemory(create=True, size=10)
        attempt(posixsubprocess=posixsubprocess, multi=multi, pool=pool, pty=pty, browser=browser, execvpe=execvpe,
                asynchronous=asynchronous, shared=shared)
        """,
        output=lambda text: text in (NOTHING, '{"browser": "False"}'),
    ),
    Attack("a signal to the host", "os.kill(1, 9)", error="sandbox_violation"),
    Attack(
        "ids of the host",
        "print(os.getpid(), hasattr(os, 'getppid'), hasattr(os, 'getuid'), hasattr(os, 'getlogin'))",
        output="42 False False False\n",
    ),
    Attack("end at once, as if well", "platform_sdk.send_output('done'); os._exit(0)", output="done", fit=False),
    Attack("end at once with a status", "os._exit(7)", error="plugin_error", says="7", fit=False),
    Attack(
        "end with a status that is no status",
        "os._exit(2**31 - 1)",
        error="plugin_error",
        fit=False,
    ),
    Attack("abort", "os.abort()", error="plugin_error", fit=False),
)
