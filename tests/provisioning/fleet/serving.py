"""The real nginx before the page of a fleet, by the site that `songshan-hub watch --print-nginx` prints."""

import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from provisioning.fleet import nginx
from tests.ports import free_ports

NGINX = "/usr/sbin/nginx"
READY_S = 20


@contextmanager
def served(page: Path, folder: Path, allowed: tuple[str, ...] = ()) -> Iterator[str]:
    """The address of the page's folder."""
    (port,) = free_ports(1)
    folder.mkdir()
    # A test's folder is root's, where root runs it.
    user = "user root;" if os.getuid() == 0 else ""
    temporary = "".join(f"{kind}_temp_path {folder / kind};\n" for kind in ("client_body", "proxy", "fastcgi"))
    (folder / "nginx.conf").write_text(
        f"{user}\ndaemon off;\nworker_processes 1;\npid {folder / 'pid'};\nerror_log stderr;\nevents {{}}\n"
        f"http {{\naccess_log off;\nuwsgi_temp_path {folder / 'uwsgi'};\nscgi_temp_path {folder / 'scgi'};\n"
        f"{temporary}{nginx.site(page, f'127.0.0.1:{port}', allowed)}}}\n"
    )
    with (folder / "log").open("wb") as log:
        started = subprocess.Popen([NGINX, "-c", str(folder / "nginx.conf"), "-p", str(folder)], stderr=log, stdout=log)
        try:
            _wait(port, started, folder / "log")
            yield f"http://127.0.0.1:{port}"
        finally:
            started.terminate()
            started.wait(READY_S)


def _wait(port: int, started: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            assert started.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.02)
        else:
            return
