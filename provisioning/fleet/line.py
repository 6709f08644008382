"""A connection with somebody outside, bounded as a whole: a byte a second is no better than silence."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


@contextmanager
def connected(host: str, port: int, seconds: float) -> Iterator[socket.socket]:
    """A TCP connection that is shut after so many seconds, wherever it stands. Raises OSError; so does then whatever
    reads or writes."""
    with socket.create_connection((host, port), seconds) as connection, connection.dup() as guard:
        # Of a copy: what TLS is laid around gives its descriptor away.
        timer = threading.Timer(seconds, _shut, (guard,))
        timer.daemon = True
        timer.start()
        try:
            yield connection
        finally:
            timer.cancel()


def trusting(ca_file: str) -> ssl.SSLContext:
    """TLS that checks the other side's certificate and name. Raises OSError where the file is none."""
    return ssl.create_default_context(cafile=ca_file or None)


def _shut(guard: socket.socket) -> None:
    with suppress(OSError):
        guard.shutdown(socket.SHUT_RDWR)
