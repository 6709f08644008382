"""The page of the network: cards, the way out, the line, and a test of the line that says where it ends."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from appliance.config import HubAddress
from appliance.core.errors import Text
from tests.simulators.sshd import sshd
from tests.tui.looks import Before, seen, with_faults
from tests.tui.readings import LOCKED_OUT, MIN_US, NO_CONFIG, NOW_US
from tui.gather.network import _routes, _routes6, gather, tried
from tui.gather.where import where
from tui.rows import Level
from tui.view.network import Card, Found, LineTest, Route, Step, level_of
from tui.view.reading import Trouble
from tui.view.sheet import Asked

CARD = Card(
    name="enp1s0",
    is_up=True,
    speed_mbit_s=1000,
    is_full_duplex=True,
    mtu=1500,
    mac="52:54:00:12:34:56",
    addresses=("192.168.10.20/24", "2001:db8::20"),
    received_bytes=81_200_000_000,
    sent_bytes=6_400_000_000,
    packets=90_000_000,
    errors=2,
    dropped=118,
)
MODULATOR = Card(name="enp2s0", is_up=True, speed_mbit_s=100, is_full_duplex=False, packets=10_000, errors=500)
SPARE = Card(name="enp3s0", is_up=False)
OFF = Card(name="wlp4s0", is_up=False, is_on=False)
TEST = LineTest(
    NOW_US - 2 * MIN_US,
    (
        Step("name", True, Text("203.0.113.7", "203.0.113.7"), 3.2),
        Step("tcp", True, Text("SSH-2.0-OpenSSH_9.2p1 Debian-2", "SSH-2.0-OpenSSH_9.2p1 Debian-2"), 11.9),
        Step("key", True, Text("与登记的相符", "the pinned one"), 84.0),
    ),
)
BROKEN = LineTest(
    NOW_US - 2 * MIN_US,
    (
        Step("name", True, Text("203.0.113.7", "203.0.113.7"), 3.2),
        Step("tcp", False, Text("连不上 203.0.113.7:22：timed out", "203.0.113.7:22: timed out"), 5000.0),
    ),
)
FOUND = Found(
    cards=(CARD, MODULATOR, SPARE, OFF),
    routes=(Route("192.168.10.1", "enp1s0"),),
    resolvers=("192.168.10.1", "114.114.114.114"),
    hub="hub.songshan.example:22",
    manager="netplan",
)
NO_CABLE = Found(cards=(SPARE, OFF), hub="hub.songshan.example:22", manager="networkd", test=BROKEN)
TESTED = Found(FOUND.cards, FOUND.routes, FOUND.resolvers, FOUND.hub, FOUND.manager, TEST)
STATES = {
    **with_faults(TESTED, FOUND, no_network=NO_CABLE, no_configuration=Found(cards=FOUND.cards)),
    "never tested": seen(FOUND),
    "locked out": seen(FOUND, LOCKED_OUT),
    "nothing could be read": seen(Found(), NO_CONFIG, Trouble(Text("没有权限", "not permitted"))),
    "a card opened": seen(FOUND, asked=Asked(opened="enp1s0")),
    "a bad cable opened": seen(FOUND, asked=Asked(opened="enp2s0")),
    "gone since": seen(FOUND, asked=Asked(opened="usb0")),
}


def test_the_page_looks_as_it_did(as_before: Before) -> None:
    """Every state in both languages, both sizes and both sets of glyphs."""
    as_before("network", STATES)


def test_errors_are_a_fault_from_one_in_a_thousand_on() -> None:
    """Every long-lived card has a few; a bad cable has many."""
    assert level_of(CARD) is Level.GOOD
    assert level_of(MODULATOR) is Level.WARN
    assert level_of(Card("x", is_up=True, addresses=("10.0.0.1/8",), packets=20, errors=1)) is Level.GOOD
    assert level_of(SPARE) is level_of(OFF) is Level.NOTE


def test_the_cards_of_this_machine_are_read(tmp_path: Path) -> None:
    """Without a configuration: on the day that nothing works somebody looks here first."""
    found = gather(where(tmp_path, {}), Asked())
    running = {name for name, state in psutil.net_if_stats().items() if "running" in state.flags and name != "lo"}
    assert running <= {card.name for card in found.cards} <= set(psutil.net_if_stats()) - {"lo"}
    assert found.hub == ""


def test_the_kernels_tables_of_ways_are_read(tmp_path: Path) -> None:
    """The addresses stand there backwards."""
    table, table6 = tmp_path / "route", tmp_path / "ipv6_route"
    table.write_text(
        "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
        "enp1s0\t00000000\t010AA8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
        "enp1s0\t000AA8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0\n"
    )
    zero = "0" * 32
    table6.write_text(
        f"{zero} 00 {zero} 00 fe800000000000000000000000000001 00000400 1 0 450003 enp1s0\n"
        f"{zero} 00 {zero} 00 {zero} ffffffff 1 0 200200 lo\n"
    )
    assert list(_routes(table)) == [Route("192.168.10.1", "enp1s0")]
    assert list(_routes6(table6)) == [Route("fe80::1", "enp1s0")]
    assert list(_routes(tmp_path / "gone")) == []


@contextmanager
def answering(greeting: bytes) -> Iterator[int]:
    """A port that greets whoever comes."""
    with socket.create_server(("127.0.0.1", 0)) as door:

        def greet() -> None:
            while True:
                try:
                    guest, _address = door.accept()
                except OSError:
                    return
                with guest:
                    guest.sendall(greeting)

        thread = threading.Thread(target=greet, daemon=True)
        thread.start()
        yield door.getsockname()[1]
        door.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def hub_at(port: int, host: str = "127.0.0.1", host_keys: tuple[str, ...] = ("ssh-ed25519 AAAA",)) -> HubAddress:
    return HubAddress("songshan", host, port, "songshan", host_keys, "A" * 43 + "=")


def test_the_test_of_the_line_says_which_step_fails() -> None:
    """A name that is not known, a port where nobody is, a web server where SSH should be: three different errands."""
    with answering(b"HTTP/1.0 400\r\n") as port:
        found = tried(hub_at(port), NOW_US)
        assert [(step.name, step.is_good) for step in found.steps] == [("name", True), ("tcp", False)]
        assert "does not speak SSH" in found.steps[1].found.en
    found = tried(hub_at(port), NOW_US)
    assert "refused" in found.steps[1].found.en
    found = tried(hub_at(22, "no-such-host.invalid"), NOW_US)
    assert [(step.name, step.is_good) for step in found.steps] == [("name", False)]


def test_a_host_key_that_is_not_the_pinned_one_is_told(tmp_path: Path) -> None:
    """Somebody stands between: whoever goes on now gives himself away."""
    with sshd(tmp_path, "true") as live:
        pinned = tried(hub_at(live.port, host_keys=(live.host_key,)), NOW_US)
        assert [step.is_good for step in pinned.steps] == [True, True, True]
        stranger = tried(hub_at(live.port), NOW_US)
        assert [step.is_good for step in stranger.steps] == [True, True, False]
        assert "another host key" in stranger.steps[2].found.en
