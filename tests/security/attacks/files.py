# ruff: noqa: E501 -- what is hostile stays in one piece
"""A plugin has no files: it reads none of the host's, writes none, and its own standard library can't be changed."""

from tests.security.attacks.attack import NOTHING, Attack

ATTACKS = (
    Attack("read the passwords", "open('/etc/passwd').read()", error="sandbox_violation"),
    Attack(
        "read whatever a Linux has",
        """
        paths = '''/ /etc/passwd /etc/shadow /etc/hosts /etc/hostname /etc/machine-id /proc/self/environ /proc/self/maps
        /proc/self/cmdline /proc/1/environ /proc/version /proc/net/tcp /sys/kernel/hostname /dev/null /dev/random /dev/shm
        /dev/tty /home /root/.ssh/id_rsa /root/.bash_history /tmp /var/run/docker.sock /run/secrets . .. ../../etc/passwd
        /usr/local/lib/python3.12/../../../../etc/passwd /usr/local/../../etc/passwd //etc/passwd /./etc/passwd
        C:\\\\Windows file:///etc/passwd'''.split()
        attempt(**{path: lambda path=path: os.open(path, os.O_RDONLY) for path in paths})
        """,
        output=NOTHING,
    ),
    Attack(
        "by way of every open descriptor",
        """
        names = ["etc/passwd", "../etc/passwd", "/etc/passwd", "..", "proc/self/environ", "tmp"]
        attempt(**{f"{number} {name}": lambda number=number, name=name: os.open(name, os.O_RDONLY, dir_fd=number)
                   for number in range(16) for name in names})
        """,
        output=NOTHING,
    ),
    Attack("write a file", "open('/tmp/x', 'w').write('x')", error="sandbox_violation"),
    Attack(
        "change its standard library",
        """
        root = "/usr/local/lib/python3.12/"
        attempt(
            write=lambda: open(root + "json/decoder.py", "w"), append=lambda: print("x", file=open(root + "os.py", "a"), flush=True),
            make=lambda: open(root + "sitecustomize.py", "x"), remove=lambda: os.remove(root + "os.py"),
            rename=lambda: os.rename(root + "os.py", root + "so.py"), folder=lambda: os.mkdir(root + "x"),
            cut=lambda: os.truncate(root + "os.py", 0), touch=lambda: os.utime(root + "os.py"),
        )
        """,
        output=NOTHING,
    ),
    Attack(
        "every call of os that names a path",
        """
        a, b = "/a", "/b"
        attempt(
            mkdir=lambda: os.mkdir(a), makedirs=lambda: os.makedirs("/a/b/c"), rmdir=lambda: os.rmdir(a),
            unlink=lambda: os.unlink(a), rename=lambda: os.rename(a, b), replace=lambda: os.replace(a, b),
            link=lambda: os.link(a, b), symlink=lambda: os.symlink(a, b), readlink=lambda: os.readlink(a),
            stat=lambda: os.stat(a), lstat=lambda: os.lstat(a), utime=lambda: os.utime(a), truncate=lambda: os.truncate(a, 1),
            chdir=lambda: os.chdir("/etc"), scandir=lambda: list(os.scandir("/")), listdir=lambda: os.listdir("."),
            walk=lambda: next(os.walk("/")),
        )
        """,
        output=NOTHING,
    ),
    Attack(
        "a symbolic link out", "os.symlink('/etc/passwd', '/usr/local/lib/python3.12/p')", error="sandbox_violation"
    ),
    Attack(
        "temporary files",
        """
        import tempfile
        attempt(file=lambda: tempfile.TemporaryFile(), named=lambda: tempfile.mkstemp(), folder=lambda: tempfile.mkdtemp())
        """,
        output=NOTHING,
    ),
    Attack(
        "a database in a file",
        """
        import sqlite3
        def made(path):
            connection = sqlite3.connect(path)
            connection.execute("create table t(x)")
            return connection
        def attached():
            sqlite3.connect(":memory:").execute("attach '/tmp/x.db' as x").connection.execute("create table x.t(y)")
        def vacuumed():
            sqlite3.connect(":memory:").execute("vacuum into '/tmp/y.db'")
        attempt(file=lambda: made("/tmp/a.db"), here=lambda: made("a.db"), uri=lambda: made("file:/etc/passwd?mode=ro"),
                attached=attached, vacuumed=vacuumed)
        """,
        output=NOTHING,
    ),
    Attack(
        "an extension of sqlite",
        """
        import sqlite3
        def load():
            connection = sqlite3.connect(":memory:")
            connection.enable_load_extension(True)
            connection.load_extension("/lib/x86_64-linux-gnu/libc.so.6")
        attempt(load=load, by_sql=lambda: sqlite3.connect(":memory:").execute("select load_extension('libc.so.6')").fetchall())
        """,
        output=NOTHING,
    ),
    Attack(
        "formats that open files",
        """
        import dbm, gzip, shelve, shutil, zipfile, tarfile, configparser, fileinput
        attempt(dbm=lambda: dbm.open("x", "c"), shelve=lambda: shelve.open("x"), gzip=lambda: gzip.open("/etc/passwd"),
                copy=lambda: shutil.copy("/etc/passwd", "/x"), zip=lambda: zipfile.ZipFile("x.zip", "w"),
                tar=lambda: tarfile.open("x.tar", "w"), lines=lambda: next(iter(fileinput.input("/etc/passwd"))),
                tree=lambda: shutil.rmtree("/usr"), disk=lambda: shutil.disk_usage("/"))
        """,
        output=NOTHING,
    ),
    Attack("a log in a file", "import logging\nlogging.FileHandler('/tmp/x.log')", error="sandbox_violation"),
    Attack(
        "its own folder",
        "attempt(here=lambda: open(__file__).read(), parent=lambda: os.listdir(os.path.dirname(__file__) or '.'))",
        output=NOTHING,
    ),
    Attack(
        "paths with a NUL and far too long",
        "attempt(nul=lambda: open('/etc/passwd\\0.py'), long=lambda: open('/' + 'a/' * 500_000), dots=lambda: open('../' * 100_000 + 'etc/passwd'))",
        output=NOTHING,
    ),
)
