"""What a machine is started with: pure, no emulator needed."""

from pathlib import Path

import pytest

from tests.machines.debian import FILES, Image, mac
from tests.machines.machine import NUMBERS, Running, Wires, argv

IMAGE = Image(Path("disk"), Path("vmlinuz"), Path("initrd.img"), "ssh-ed25519 AAAA")
RUNNING = Running(0, 0, ssh_port=1001, http_port=1002, sockets="/run/it", since=0.0)
WIRES = Wires(line_hub=2001, line_box=2002, air_box=2003, modulator=2004)


@pytest.mark.parametrize("name", NUMBERS)
def test_nothing_leads_out_of_a_machine(name: str) -> None:
    """No test of ours sends a byte beyond this machine's loopback address."""
    words = argv(name, IMAGE, RUNNING, WIRES, 5, "utc")
    networks = [words[place + 1] for place, word in enumerate(words) if word == "-netdev"]
    assert networks
    for each in networks:
        kind, *settings = each.split(",")
        places = [value for value in settings if value.startswith(("udp=", "localaddr=", "hostfwd="))]
        assert places and all("127.0.0.1:" in place for place in places)
        assert kind == "socket" or (kind == "user" and "restrict=on" in settings)


def test_hub_and_box_are_at_the_two_ends_of_one_line() -> None:
    """What the one sends is where the other listens."""
    hub, box = (
        next(word for word in argv(name, IMAGE, RUNNING, WIRES, 5, "utc") if "id=line" in word) for name in NUMBERS
    )
    assert hub == "socket,udp=127.0.0.1:2002,localaddr=127.0.0.1:2001,id=line"
    assert box == "socket,udp=127.0.0.1:2001,localaddr=127.0.0.1:2002,id=line"


def test_each_card_of_a_machine_is_named_by_the_image() -> None:
    """One whose address the image does not know would be called `ens17`, and have no address of its own."""
    for name, number in NUMBERS.items():
        for network in ("mgmt", "line", *(["air"] if name == "box" else [])):
            assert any(f"mac={mac(network, number)}," in word for word in argv(name, IMAGE, RUNNING, WIRES, 5, "utc"))
            assert mac(network, number) in FILES[f"etc/systemd/network/10-{network}.link"]
