"""What systemd runs on box and hub, asked of the processes themselves: users, rights, walls, watchdogs, doors.

The unit files say what is meant; here is what the kernel holds a running process to (/proc/PID/status, namespaces).
"""

import re
from dataclasses import dataclass
from typing import Final

from tests.machines.machine import Machine
from tests.machines.pair import CHANNEL
from tests.machines.trial import Trial

_SHOWN: Final = (
    "MainPID",
    "ActiveState",
    "ProtectSystem",
    "ProtectHome",
    "PrivateNetwork",
    "WatchdogUSec",
    "FragmentPath",
)
_FILTERED: Final = "2"
_WEIGHT_MOST: Final = "10000"
_LINK_S_MAX: Final = 120
_STARTED_S_MAX: Final = 600


@dataclass(frozen=True)
class Expected:
    """A service that runs. `exposure`: what `systemd-analyze security` may rate it at most, on a scale to 10."""

    unit: str
    user: str
    exposure: float
    has_watchdog: bool = False
    has_network: bool = True


BOX: Final = (
    Expected("songshan-agent.service", "songshan", 1.3, has_watchdog=True),
    Expected("songshan-web.service", "songshan-web", 0.5, has_network=False),
    *(
        Expected(f"songshan-{each}@{CHANNEL}.service", "songshan-playout", 1.7, has_watchdog=True)
        for each in ("playout", "playout-standby", "playout-watch")
    ),
)
HUB: Final = (Expected("songshan-hub-fleet.service", "songshan-hub", 1.2, has_watchdog=True),)
BOX_TIMERS: Final = {"songshan-backup.timer"}
HUB_TIMERS: Final = {f"songshan-hub-{each}.timer" for each in ("accounts", "backup", "collect", "compact", "verify")}
BOX_DOORS: Final = {"tcp 22", "tcp 80"}
HUB_DOORS: Final = {"tcp 22", "tcp 2222", "tcp 8080", "udp 123"}
"""What may be open to other machines; each is in ansible/ports.yml."""


def play(trial: Trial) -> None:
    trial.as_made()
    trial.switch_on()
    box, hub = trial.pair.box, trial.pair.hub
    trial.on_air(box.powered_at)
    trial.until("the web server answers", lambda: trial.pair.get("/healthz") == 200, _LINK_S_MAX)
    trial.until("both have started", lambda: has_started(box) and has_started(hub), _STARTED_S_MAX)
    wrong = []
    for machine, services, timers, doors in ((box, BOX, BOX_TIMERS, BOX_DOORS), (hub, HUB, HUB_TIMERS, HUB_DOORS)):
        wrong += [fault for expected in services for fault in faults(machine, expected)]
        armed = set(
            machine.shell.run(
                "systemctl list-timers --no-legend --plain 'songshan*' | grep -o 'songshan[^ ]*timer'"
            ).out.split()
        )
        wrong += [f"{machine.name}: a timer that is not armed: {timer}" for timer in sorted(timers - armed)]
        failed = machine.shell.run("systemctl --failed --no-legend --plain").out.split("\n")
        wrong += [f"{machine.name}: failed: {line}" for line in failed if line.strip()]
        wrong += [f"{machine.name}: a door that is not in ports.yml: {door}" for door in open_doors(machine) - doors]
        wrong += [f"{machine.name}: its firewall lets strangers in"] * (not drops_strangers(machine))
    wrong += share_of_the_air(box)
    wrong += ["the box answers at a door that is none"] * (not is_dropped(hub))
    trial.figures["units"] = len(BOX) + len(HUB)
    assert not wrong, "\n".join(wrong)


def has_started(machine: Machine) -> bool:
    """systemd has nothing left to start."""
    return machine.shell.run("systemctl list-jobs --no-legend").out.strip() == ""


def faults(machine: Machine, expected: Expected) -> list[str]:
    """What of a running unit is not as it has to be."""
    unit = expected.unit
    told = machine.shell.run(f"systemctl show --property={','.join(_SHOWN)} '{unit}'").out
    shown = dict(line.split("=", 1) for line in told.splitlines() if "=" in line)
    if shown["ActiveState"] != "active" or shown["MainPID"] == "0":
        return [f"{unit}: {shown['ActiveState']}"]
    pid = shown["MainPID"]
    status = machine.shell.run(f"cat /proc/{pid}/status").out
    kernel = dict(re.findall(r"^(\w+):\s+(\S+)", status, re.MULTILINE))
    uid = machine.shell.run(f"id -u {expected.user}").out.strip()
    net = machine.shell.run(f"readlink /proc/{pid}/ns/net /proc/1/ns/net").out.split()
    threshold = round(expected.exposure * 10)
    rated = machine.shell.run(f"systemd-analyze security --threshold={threshold} '{unit}'", check=False)
    file = machine.shell.run(f"readlink -f '{shown['FragmentPath']}'").out
    held = {
        "runs as its own user": kernel["Uid"] == uid != "0",
        "has no capability, and can get none": int(kernel["CapBnd"], 16) == 0 and int(kernel["CapEff"], 16) == 0,
        "cannot gain privileges": kernel["NoNewPrivs"] == "1",
        "has its system calls filtered": kernel["Seccomp"] == _FILTERED,
        "sees a system that it cannot write": shown["ProtectSystem"] == "strict" and shown["ProtectHome"] == "yes",
        "has the network that it needs, or none": (net[0] == net[1]) == expected.has_network,
        "is watched": (shown["WatchdogUSec"] not in {"0", "infinity"}) or not expected.has_watchdog,
        "follows the release": file.startswith(("/opt/songshan/", "/opt/songshan-hub/")),
        f"is exposed no more than {expected.exposure}": rated.status == 0,
    }
    return [f"{unit}: it does not hold that it {what}" for what, holds in held.items() if not holds]


def share_of_the_air(box: Machine) -> list[str]:
    """The senders run in a group that goes before all others on the processors, and so does the kernel see it."""
    weight = box.shell.run("cat /sys/fs/cgroup/songshan.slice/cpu.weight", check=False).out.strip()
    wrong = [] if weight == _WEIGHT_MOST else [f"what is on the air has a weight of {weight or 'none'}"]
    for each in ("playout", "playout-standby"):
        pid = box.shell.run(
            f"systemctl show --value --property=MainPID 'songshan-{each}@{CHANNEL}.service'"
        ).out.strip()
        group = box.shell.run(f"cat /proc/{pid}/cgroup", check=False).out
        wrong += [] if "/songshan.slice/" in group else [f"{each} runs in {group.strip()}"]
    return wrong


def open_doors(machine: Machine) -> set[str]:
    """What listens on other addresses than the loopback's and multicast ones: `tcp 22`.

    A socket that only sends has a port too, of those that the kernel gives out; the firewall lets nothing in there.
    """
    doors = set()
    first_given, last_given = map(int, machine.shell.run("cat /proc/sys/net/ipv4/ip_local_port_range").out.split())
    for line in machine.shell.run("ss -Hltun").out.splitlines():
        kind, _state, _received, _sent, local, *_rest = line.split()
        address, _colon, port = local.rpartition(":")
        if kind == "udp" and first_given <= int(port) <= last_given:
            continue
        if not address.startswith(("127.", "[::1]", "224.", "239.")) and "%mgmt" not in address:
            doors.add(f"{kind} {port}")
    return doors


def drops_strangers(machine: Machine) -> bool:
    """What no rule lets in is dropped."""
    rules = machine.shell.run("nft list ruleset").out
    return re.search(r"hook input [^;]*; policy drop;", rules) is not None


def is_dropped(hub: Machine) -> bool:
    """A door that is none: the box does not even say no."""
    knock = "timeout 4 python3 -c \"import socket; socket.create_connection(('10.44.0.2', 9999))\""
    return hub.shell.run(knock, check=False).status == 124
