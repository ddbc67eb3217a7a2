# ruff: noqa: E501 -- what is hostile stays in one piece
"""A plugin has no network: whatever way it asks, nothing leaves and nothing comes in."""

from tests.security.attacks.attack import NOTHING, Attack

ATTACKS = (
    Attack(
        "sockets of every family",
        """
        import _socket
        attempt(**{f"{family} {kind}": lambda family=family, kind=kind: _socket.socket(family, kind)
                   for family in range(64) for kind in range(8)})
        """,
        output=NOTHING,
    ),
    Attack("a socket", "import socket\nsocket.socket()", error="sandbox_violation"),
    Attack(
        "a connection",
        "import socket\nsocket.create_connection(('127.0.0.1', 4222), 1)",
        error="sandbox_violation",
    ),
    Attack("a name", "import socket\nsocket.getaddrinfo('localhost', 80)", error="sandbox_violation"),
    Attack("the host's name", "import socket\nattempt(name=lambda: socket.gethostname())", output=NOTHING),
    Attack(
        "a page", "import urllib.request\nurllib.request.urlopen('http://127.0.0.1:4222/')", error="sandbox_violation"
    ),
    Attack(
        "clients of the standard library",
        """
        def http(): import http.client; return http.client.HTTPConnection("127.0.0.1", 4222, timeout=1).connect()
        def ftp(): import ftplib; return ftplib.FTP("127.0.0.1", timeout=1)
        def smtp(): import smtplib; return smtplib.SMTP("127.0.0.1", timeout=1)
        def xmlrpc(): import xmlrpc.client; return xmlrpc.client.ServerProxy("http://127.0.0.1").f()
        def poplib(): import poplib; return poplib.POP3("127.0.0.1", timeout=1)
        def imap(): import imaplib; return imaplib.IMAP4("127.0.0.1", timeout=1)
        attempt(http=http, ftp=ftp, smtp=smtp, xmlrpc=xmlrpc, poplib=poplib, imap=imap)
        """,
        output=NOTHING,
    ),
    Attack(
        "servers of the standard library",
        """
        def http(): import http.server; return http.server.HTTPServer(("0.0.0.0", 8080), None)
        def tcp(): import socketserver; return socketserver.TCPServer(("0.0.0.0", 8080), None)
        def log(): import logging.config; return logging.config.listen(9999).start()
        attempt(http=http, tcp=tcp, log=log)
        """,
        output=NOTHING,
    ),
    Attack(
        "asyncio streams",
        "import asyncio\nasyncio.run(asyncio.open_connection('127.0.0.1', 4222))",
        error=("sandbox_violation", "plugin_error"),
    ),
    Attack(
        "socket calls of WASI on its descriptors",
        """
        import _socket
        def of(number):
            taken = _socket.socket(2, 1, 0, number)
            attempt_on = {"recv": lambda: taken.recv(10), "send": lambda: taken.send(b"x"), "accept": lambda: taken._accept(),
                          "shutdown": lambda: taken.shutdown(2)}
            for name, call in attempt_on.items():
                try:
                    return name, call()
                except OSError:
                    pass
            raise OSError
        attempt(**{str(number): lambda number=number: of(number) for number in range(8)})
        """,
        output=NOTHING,
    ),
    Attack(
        "mail by a handler of logging",
        """
        import logging.handlers as h, logging
        l = h.SysLogHandler(address=('127.0.0.1', 514))
        l.emit(logging.makeLogRecord({}))
        """,
        error="sandbox_violation",
    ),
)
