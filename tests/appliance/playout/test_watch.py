"""The probe's ear: what it could not take in time it knows of, and does not hold against the output."""

import dataclasses
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from appliance import senders
from appliance.config import ChannelConfig, Config, render
from appliance.playout.watch import open_listener, receive
from tests.appliance.boxes import box
from tests.appliance.playout.receivers import free_udp_port
from tests.own_network import own_network, said

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


@contextmanager
def a_probe(home: Path, within: tuple[str, ...]) -> Iterator[tuple[Config, "subprocess.Popen[str]"]]:
    """Of a channel that goes to a group from an address of the machine's."""
    channel = ChannelConfig("dengfeng-1", "登封综合", udp="239.45.0.1:5000", udp_from="10.45.0.2")
    config = dataclasses.replace(box(home), channels=(channel,))
    (home / "appliance.toml").write_text(render(config))
    argv = [*within, str(Path(sys.executable).with_name("songshan")), "--home", str(home)]
    probe = subprocess.Popen(
        [*argv, "playout", "--watch", "dengfeng-1"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    try:
        yield config, probe
    finally:
        probe.terminate()
        probe.communicate(timeout=20)


def test_a_probe_waits_for_an_address_that_is_on_its_way(tmp_path: Path) -> None:
    """Switched on after a power cut it was there before the network, and its end stood among the alarms."""
    with own_network() as within, a_probe(tmp_path, within) as (config, probe):
        with pytest.raises(subprocess.TimeoutExpired):
            probe.wait(3)
        assert senders.told(config, "dengfeng-1")[2] is None
        said(*within, "ip", "address", "add", "10.45.0.2/32", "dev", "lo")
        deadline = time.monotonic() + 30
        while senders.told(config, "dengfeng-1")[2] is None:
            assert time.monotonic() < deadline and probe.poll() is None, probe.communicate(timeout=20)
            time.sleep(0.1)


def test_a_probe_that_waits_ends_when_it_is_told(tmp_path: Path) -> None:
    """As systemd ends it: at once, and not as a failure."""
    with own_network() as within, a_probe(tmp_path, within) as (_config, probe):
        with pytest.raises(subprocess.TimeoutExpired):
            probe.wait(3)
        probe.terminate()
        assert probe.wait(20) == 0
