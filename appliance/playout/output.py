"""Where datagrams go: one address, unicast or multicast. Nothing that the network does stops a sender."""

import socket
from typing import Final

from appliance.core.cbr import DATAGRAM_PACKETS
from appliance.core.errors import Text
from appliance.core.mux import PACKET

DATAGRAM_BYTES: Final = DATAGRAM_PACKETS * PACKET
SEND_BUFFER_BYTES: Final = 1024 * 1024
REOPEN_US: Final = 1_000_000
"""An address that the machine does not have yet is tried again so often."""


class Output:
    """`address` as "239.0.0.1:5000"; `own` is the address of the card to send from, "" for what the routes say."""

    def __init__(self, address: str, own: str, ttl: int) -> None:
        host, _colon, port = address.rpartition(":")
        self.address = address
        self.sent_datagrams = 0
        self.lost_datagrams = 0
        self.trouble: Text | None = None
        """What the network said the last time; None when it took what it was given."""
        self._to = (host, int(port))
        self._own, self._ttl = own, ttl
        self._socket: socket.socket | None = None
        self._next_try_us = 0

    def send(self, packets: bytes, running_us: int) -> None:
        """Hand over whole datagrams; what the network does not take is lost and counted."""
        opened = self._socket or self._opened(running_us)
        if opened is None:
            self.lost_datagrams += len(packets) // DATAGRAM_BYTES
            return
        trouble: Text | None = None
        for at in range(0, len(packets), DATAGRAM_BYTES):
            try:
                opened.sendto(packets[at : at + DATAGRAM_BYTES], self._to)
                self.sent_datagrams += 1
            except OSError as error:
                self.lost_datagrams += 1
                trouble = _said(error)
        if packets:
            self.trouble = trouble

    def close(self) -> None:
        """Nothing more is sent."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _opened(self, running_us: int) -> socket.socket | None:
        if running_us < self._next_try_us:
            return None
        self._next_try_us = running_us + REOPEN_US
        opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            opened.setblocking(False)
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
            opened.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, self._ttl)
            if self._own:
                opened.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(self._own))
                opened.bind((self._own, 0))
        except OSError as error:
            opened.close()
            self.trouble = _said(error)
            return None
        self._socket = opened
        return opened


def _said(error: OSError) -> Text:
    said = error.strerror or str(error)
    return Text(f"网络：{said}", f"the network: {said}")
