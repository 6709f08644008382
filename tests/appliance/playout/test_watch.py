"""The probe's ear: what it could not take in time it knows of, and does not hold against the output."""

import socket

import pytest

from appliance.playout.watch import open_listener, receive
from tests.appliance.playout.receivers import free_udp_port

DATAGRAM = b"\x47" * 1316


def test_the_kernel_says_how_many_it_had_to_drop() -> None:
    """Without it a probe that was not given the processor told a fault of the modulator's input."""
    port = free_udp_port()
    with (
        open_listener(f"127.0.0.1:{port}", "") as line,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
    ):
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16 * 1024)
        for _ in range(100):
            sender.sendto(DATAGRAM, ("127.0.0.1", port))
        kept = 0
        with pytest.raises(TimeoutError):
            while True:
                data, _at_us, missed = receive(line)
                assert (data, missed) == (DATAGRAM, 0), "these came before the first that was dropped"
                kept += 1
        assert 0 < kept < 100
        sender.sendto(DATAGRAM, ("127.0.0.1", port))
        assert receive(line)[2] == 100 - kept
