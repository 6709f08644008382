"""What the line in user space can do besides the contract of tests/contract/test_link.py: break by itself."""

import socket
import threading
from contextlib import suppress

import pytest

from tests.simulators.link import Cut, link


def test_it_breaks_at_the_byte_that_was_asked_for_and_comes_back() -> None:
    """A transfer that is cut twice in the middle meets exactly the two cuts that the row is about."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_sink, args=(server,), daemon=True).start()
        cuts = [Cut(0.0, at_bytes=9_000_000), Cut(0.0, at_bytes=3_000_000)]
        with link(server.getsockname()[1], cuts=cuts) as line:
            counted = [_send_until_it_breaks(line.port) and line.bytes_up for _ in cuts]
            for count, cut in zip(counted, sorted(cuts, key=lambda cut: cut.at_bytes or 0), strict=True):
                assert cut.at_bytes is not None
                assert cut.at_bytes <= count <= cut.at_bytes + 1_000_000
            with socket.create_connection(("127.0.0.1", line.port), 5) as near:
                near.sendall(b"whole")
                near.shutdown(socket.SHUT_WR)
                assert near.recv(16) == b"5"


def test_it_breaks_at_the_moment_that_was_asked_for() -> None:
    """Also a line on which nothing is said breaks."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_sink, args=(server,), daemon=True).start()
        with (
            link(server.getsockname()[1], cuts=[Cut(0.0, at_s=0.05)]) as line,
            socket.create_connection(("127.0.0.1", line.port), 5) as near,
            pytest.raises(ConnectionResetError),
        ):
            near.recv(1)


def _send_until_it_breaks(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 5) as near:
        while True:
            near.sendall(b"x" * 10_000)
    return True


def _sink(server: socket.socket) -> None:
    """Counts what each connection brings, and says it to one that ends in order."""
    with suppress(OSError):
        while True:
            peer, _ = server.accept()
            with peer, suppress(OSError):
                count = 0
                while data := peer.recv(65_536):
                    count += len(data)
                peer.sendall(str(count).encode())
