"""The simulated line is checked against what it promises, or no figure taken over it means anything."""

import socket
import threading
import time

from tests.simulators.link import link

ROUND_TRIP_S = 0.08


def test_a_byte_there_and_back_takes_one_round_trip_and_arrives_unchanged() -> None:
    """Latency figures are divided by the round trip, so it must be what was asked for."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_echo_once, args=(server,), daemon=True).start()
        with (
            link(server.getsockname()[1], ROUND_TRIP_S) as line,
            socket.create_connection(("127.0.0.1", line.port)) as near,
        ):
            near.settimeout(5)
            began = time.monotonic()
            near.sendall(b"ping")
            answer = near.recv(16)
            took_s = time.monotonic() - began
    assert answer == b"ping"
    assert took_s >= ROUND_TRIP_S
    assert (line.bytes_up, line.bytes_down) == (4, 4)


def _echo_once(server: socket.socket) -> None:
    peer, _ = server.accept()
    with peer:
        while data := peer.recv(1024):
            peer.sendall(data)
