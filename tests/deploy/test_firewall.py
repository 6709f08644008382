"""The rules that Ansible writes, in force in a kernel: who knocks at which door, and who is let in."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.own_network import joined, said

ANSIBLE = Path(__file__).parents[2] / "ansible"
OPERATORS, TOWN = "10.20.0.", "10.30.0."
"""Two networks on one cable; the machine is .1 of each, who knocks is .2."""
DOORS = {"tcp": (22, 80, 2222, 8080, 9999), "udp": (123, 9999)}
TOLD = {
    "songshan_operator_networks": [f"{OPERATORS}0/24", "fd20::/64"],
    "songshan_box_networks": [f"{TOWN}0/24"],
    "songshan_hub_port": 2222,
}
LISTEN = """
import json, select, socket, sys
doors = json.loads(sys.argv[1])
kinds = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}
lines = []
for protocol, ports in doors.items():
    for port in ports:
        line = socket.socket(socket.AF_INET6, kinds[protocol])
        line.bind(("::", port))
        protocol == "tcp" and line.listen()
        lines.append(line)
print("open", flush=True)
while True:
    for line in select.select(lines, [], [])[0]:
        if line.type == socket.SOCK_STREAM:
            line.accept()[0].close()
        else:
            line.sendto(b"in", line.recvfrom(100)[1])
"""
KNOCK = """
import json, socket, sys, threading
here, there, doors = json.loads(sys.argv[1])
inside = []
def knock(protocol, port):
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    with socket.socket(socket.AF_INET6 if ":" in here else socket.AF_INET, kind) as line:
        line.settimeout(3)
        line.bind((here, 0))
        try:
            line.connect((there, port))
            if protocol == "udp":
                line.send(b"knock")
                line.recv(100)
            inside.append(f"{protocol} {port}")
        except TimeoutError:
            pass
knocking = [threading.Thread(target=knock, args=(name, port)) for name, ports in doors.items() for port in ports]
for each in knocking: each.start()
for each in knocking: each.join()
print(json.dumps(sorted(inside)))
"""

GROUP = """
import socket, sys
ear = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
ear.bind(("239.1.1.1", 5000))
group = socket.inet_aton("239.1.1.1") + socket.inet_aton(sys.argv[1])
ear.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
ear.settimeout(3)
mouth = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
mouth.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(sys.argv[1]))
mouth.sendto(b"heard", ("239.1.1.1", 5000))
print(ear.recv(100).decode())
"""


def rules(group: str, folder: Path) -> str:
    """nftables.conf as a playbook writes it for a machine of that group."""
    (folder / "inventory").write_text(f"[{group}]\nmachine ansible_connection=local\n")
    (folder / "told.json").write_text(json.dumps({**TOLD, "common_ports": "{{ songshan_ports }}"}))
    where = {"src": str(ANSIBLE / "roles/common/templates/nftables.conf.j2"), "dest": str(folder / "nftables.conf")}
    ansible = str(Path(sys.executable).with_name("ansible"))
    argv = [ansible, "machine", "-i", str(folder / "inventory"), "-m", "template"]
    argv += ["-a", json.dumps(where), "-e", f"@{ANSIBLE / 'ports.yml'}", "-e", f"@{folder / 'told.json'}"]
    subprocess.run(
        argv,
        env={**os.environ, "ANSIBLE_HOME": str(folder / "ansible"), "ANSIBLE_PYTHON_INTERPRETER": sys.executable},
        capture_output=True,
        check=True,
        timeout=120,
    )
    return (folder / "nftables.conf").read_text()


class Town:
    """A machine behind its firewall, all its doors with somebody behind them, and who knocks at them."""

    def __init__(self, machine: tuple[str, ...], outside: tuple[str, ...]) -> None:
        self.machine, self.outside = machine, outside

    def let_in(self, network: str) -> list[str]:
        """The doors that open to somebody who comes from there: "tcp 80"."""
        knock = (sys.executable, "-c", KNOCK, json.dumps([f"{network}2", f"{network}1", DOORS]))
        found: list[str] = json.loads(said(*self.outside, *knock))
        return found


@contextmanager
def town(text: str) -> Iterator[Town]:
    with joined() as (machine, outside):
        for network, bits in ((OPERATORS, 24), (TOWN, 24), ("fd20::", 64), ("fd30::", 64)):
            extra = ("nodad",) if ":" in network else ()
            for side, number in ((machine, 1), (outside, 2)):
                said(*side, "ip", "address", "add", f"{network}{number}/{bits}", "dev", "card", *extra)
        said(*machine, "nft", "--file", "-", stdin=text)
        with listening(machine):
            yield Town(machine, outside)


@contextmanager
def listening(side: tuple[str, ...]) -> Iterator[None]:
    """Somebody is behind every door of one side."""
    argv = [*side, sys.executable, "-c", LISTEN, json.dumps(DOORS)]
    behind = subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)
    try:
        assert behind.stdout is not None and behind.stdout.readline() == "open\n"
        yield
    finally:
        behind.kill()
        behind.communicate(timeout=10)


def test_a_box_opens_its_pages_to_all_and_ssh_to_operators(tmp_path: Path) -> None:
    """Over both protocols of the internet; what nobody registered stays shut, and is counted."""
    with town(rules("boxes", tmp_path)) as box:
        for operators, anybody in ((OPERATORS, TOWN), ("fd20::", "fd30::")):
            assert box.let_in(operators) == ["tcp 22", "tcp 80"]
            assert box.let_in(anybody) == ["tcp 80"]
        assert 'counter packets 0 bytes 0 comment "dropped"' not in said(*box.machine, "nft", "list", "ruleset")


def test_a_hub_lets_the_counties_in_and_its_figures_only_to_operators(tmp_path: Path) -> None:
    """The counties' door to everybody, the time to the counties' networks."""
    with town(rules("hub", tmp_path)) as hub:
        assert hub.let_in(OPERATORS) == ["tcp 22", "tcp 2222", "tcp 8080"]
        assert hub.let_in(TOWN) == ["tcp 2222", "udp 123"]
        assert hub.let_in("fd30::") == ["tcp 2222"]


def test_what_the_machine_begins_itself_comes_back(tmp_path: Path) -> None:
    """A box calls the hub from behind its firewall; and what it sends to a group comes back to its own probe."""
    with town(rules("boxes", tmp_path)) as box:
        with listening(box.outside):
            knock = (sys.executable, "-c", KNOCK, json.dumps([f"{TOWN}1", f"{TOWN}2", {"tcp": [2222], "udp": [123]}]))
            assert json.loads(said(*box.machine, *knock)) == ["tcp 2222", "udp 123"]
        assert said(*box.machine, sys.executable, "-c", GROUP, f"{TOWN}1").strip() == "heard"
