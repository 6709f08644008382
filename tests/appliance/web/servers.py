"""Servers that tests start: real gunicorn, real nginx, on free ports of the loopback address."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

from appliance.web import nginx
from tests.ports import free_ports

START_S = 20
STOP_S = 20
NGINX = "/usr/sbin/nginx"


@contextmanager
def running(argv: list[str], port: int, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A server process, once it answers /healthz; ended at the end."""
    with log.open("ab") as said:
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", "--", *argv], stdout=said, stderr=said, stdin=subprocess.DEVNULL
        )
    try:
        deadline = time.monotonic() + START_S
        while not answers(port):
            assert process.poll() is None and time.monotonic() < deadline, log.read_text(errors="replace")
            time.sleep(0.05)
        yield process
    finally:
        process.terminate()
        process.wait(STOP_S)


def answers(port: int) -> bool:
    """Whether something on the port says that it lives."""
    try:
        connection = HTTPConnection("127.0.0.1", port, timeout=2)
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except OSError:
        return False


@contextmanager
def web(home: Path, port: int = 0) -> Iterator[int]:
    """`songshan web` for the box in `home`; the port, which is free of choice where none is given."""
    port = port or free_ports(1)[0]
    program = str(Path(sys.executable).with_name("songshan"))
    with running([program, "--home", str(home), "web", "--bind", f"127.0.0.1:{port}"], port, home / "web.log"):
        yield port


@contextmanager
def nginx_before(home: Path, upstream: int, folder: Path) -> Iterator[int]:
    """nginx as an ordinary user before a web server on the port `upstream`; its own port."""
    (port,) = free_ports(1)
    folder.mkdir(exist_ok=True)
    site = nginx.site("dengfeng", home / "public", folder / "cache", f"127.0.0.1:{port}", f"127.0.0.1:{upstream}")
    # nginx lets its workers drop to an ordinary user by itself when root starts it; a test's folder is root's.
    user = "user root;\n" if os.getuid() == 0 else ""
    (folder / "nginx.conf").write_text(user + nginx.whole(site, folder))
    argv = [NGINX, "-c", str(folder / "nginx.conf"), "-p", str(folder)]
    with running(argv, port, folder / "log"):
        yield port
