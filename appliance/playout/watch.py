"""The probe: hears and sees the output of a channel as a modulator does, and tells what is wrong with it."""

import errno
import os
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from ipaddress import IPv4Address
from pathlib import Path
from typing import Final

from appliance import senders, spool
from appliance.config import ChannelConfig, Config
from appliance.core.command import Observed
from appliance.core.errors import SongshanError, Text, WorldError
from appliance.core.evidence import Evidence
from appliance.core.pictures import Looking
from appliance.core.probe import Listening, Window
from appliance.durable import world_error
from appliance.notify import tell
from appliance.playout.eyes import Eyes

LISTEN_S: Final = 0.2
RECEIVE_BUFFER_BYTES: Final = 4 * 1024 * 1024
DATAGRAM_BYTES_MAX: Final = 65536
NETWORK_TRY_S: Final = 1.0
NETWORK_TRIES: Final = 60
"""Within what systemd gives a start: an address that is not there by then is not this machine's."""
_NOT_THERE: Final = (errno.ENODEV, errno.EADDRNOTAVAIL)
_STAMP: Final = struct.Struct("@qq")
_SO_TIMESTAMPNS: Final = 35
_SO_RXQ_OVFL: Final = 40
_COUNT: Final = struct.Struct("@I")


def watch(config: Config, channel: ChannelConfig, ended: threading.Event) -> None:
    """Listen until `ended`. Raises WorldError when the address cannot be listened at, nor within a minute."""
    address = channel.udp_copy or channel.udp
    listening = Listening(channel.udp_bits_per_s)
    line = _listener(address, channel.udp_from, ended)
    if line is None:
        return
    eyes = Eyes()
    report, evidence = _Reporting(config, channel, address, listening, eyes.looking), Evidence(channel.id, address)
    with line, closing(eyes):
        tell("READY=1")
        while not ended.is_set():
            try:
                datagram, at_us, missed = receive(line)
                if missed > listening.heard.missed_datagrams:
                    listening.miss(missed - listening.heard.missed_datagrams)
                listening.hear(datagram, at_us)
                eyes.show(datagram, at_us)
            except TimeoutError:
                listening.wait(config.clock.wall_us())
            if report.tell_if_due(config.clock.running_us()):
                eyes.look(config.clock.wall_us())
                _hand_over(config, evidence.of(listening, config.clock.wall_us()))
    _hand_over(config, evidence.rest(config.clock.wall_us()))


def _hand_over(config: Config, evidence: Iterator[Observed]) -> None:
    """Into the spool; what it does not take is lost, and the log says later that nobody vouches for that time."""
    for observed in evidence:
        with suppress(SongshanError):
            spool.put(config, observed)


def _listener(address: str, own: str, ended: threading.Event) -> socket.socket | None:
    """Waits for a network that is on its way: after a power cut the probe is there before its address is. None when
    that was not to be waited for."""
    for _try in range(NETWORK_TRIES):
        try:
            return open_listener(address, own)
        except WorldError as error:
            if not _is_on_its_way(error):
                raise
        if ended.wait(NETWORK_TRY_S):
            return None
    return open_listener(address, own)


def _is_on_its_way(error: WorldError) -> bool:
    return isinstance(error.__cause__, OSError) and error.__cause__.errno in _NOT_THERE


def open_listener(address: str, own: str) -> socket.socket:
    """A socket that hears what is sent to this address, with the kernel's time of arrival. Raises WorldError."""
    host, _colon, port = address.rpartition(":")
    line = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        ask_the_kernel(line)
        line.settimeout(LISTEN_S)
        line.bind((host, int(port)))
        if IPv4Address(host).is_multicast:
            member = socket.inet_aton(host) + (socket.inet_aton(own) if own else bytes(4))
            line.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
    except OSError as error:
        line.close()
        problem = world_error(error, Path(address))
        raise WorldError(
            *problem.problems,
            hint=Text(
                "探针只能听组播或本机地址；输出到别的机器时请设 udp_copy",
                "a probe hears multicast and this machine's own addresses; for an output elsewhere set udp_copy",
            ),
        ) from error
    return line


def ask_the_kernel(line: socket.socket) -> None:
    """For `receive`: when each datagram came, and how many were dropped."""
    line.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
    line.setsockopt(socket.SOL_SOCKET, _SO_RXQ_OVFL, 1)


def receive(line: socket.socket) -> tuple[bytes, int, int]:
    """A datagram, when the kernel had it, in microseconds since 1970, and how many it had to drop until then because
    nobody took them (modulo 2^32). Raises TimeoutError."""
    datagram, ancillary, _flags, _address = line.recvmsg(DATAGRAM_BYTES_MAX, 128)
    at_us, missed = None, 0
    for _level, kind, data in ancillary:
        if kind == _SO_TIMESTAMPNS:
            seconds, nanoseconds = _STAMP.unpack(data[: _STAMP.size])
            at_us = seconds * 1_000_000 + nanoseconds // 1000
        elif kind == _SO_RXQ_OVFL:
            (missed,) = _COUNT.unpack(data[: _COUNT.size])
    assert at_us is not None, "the kernel was asked for the time of arrival"
    return datagram, at_us, missed


class _Reporting:
    """Tells everybody what was heard."""

    def __init__(
        self, config: Config, channel: ChannelConfig, address: str, listening: Listening, looking: Looking
    ) -> None:
        self._config, self._channel, self._address, self._listening = config, channel, address, listening
        self._looking = looking
        self._started_at_us = config.clock.wall_us()
        self._due_us = 0
        self._fault: Text | None = None
        self._fault_at_us: int | None = None

    def tell_if_due(self, running_us: int) -> bool:
        """Every second; whether it was due."""
        if running_us < self._due_us:
            return False
        self._due_us = running_us + senders.TOLD_EVERY_US
        tell("WATCHDOG=1")
        now_us = self._config.clock.wall_us()
        if self._listening.faults:
            self._fault, self._fault_at_us = self._listening.faults[-1], now_us
            self._listening.faults.clear()
        with suppress(WorldError):
            senders.tell(self._config, self._channel.id, self._report(now_us, self._listening.take_window()))
        return True

    def _report(self, now_us: int, window: Window) -> senders.Probe:
        heard = self._listening.heard
        return senders.Probe(
            pid=os.getpid(),
            at_us=now_us,
            started_at_us=self._started_at_us,
            output=self._address,
            packets=heard.packets,
            bits_per_s=window.packets * 188 * 8,
            sync_errors=heard.sync_errors,
            continuity_errors=heard.continuity_errors,
            missed_datagrams=heard.missed_datagrams,
            pcr_steps=heard.pcr_steps,
            pts_steps=heard.pts_steps,
            blackouts=heard.blackouts,
            blackout_us=heard.blackout_us,
            pcr_interval_max_ms=round(window.pcr_interval_max_ms, 2),
            pcr_jitter_max_us=window.jitter_us,
            last_fault_at_us=self._fault_at_us,
            last_fault=self._fault,
            pictures_seen=self._looking.pictures,
            black_since_us=self._looking.black_since_us,
            still_since_us=self._looking.still_since_us,
        )
