"""A machine of Debian in QEMU: started, cut off, shut down; its networks, its clock, its sticks.

    box = Machine("box")            what it is made of lies in build/machines/box
    box.install(image)              a bare disk; or box.load("made") for one that was kept with box.save("made")
    box.power_on()                  returns at once; box.wait_for_ssh() when an operator gets in
    box.shell.run("uname -a")       shell.py
    box.link("line", up=False)      a cable is pulled
    box.power_cut()                 the power goes: the disk forgets what was not flushed (disk.py)
    box.shut_down()                 as by its button

Networks (debian.py): `mgmt` is the operator's, with sshd and port 80 of the machine forwarded to loopback ports; `line`
joins hub (10.44.0.1) and box (10.44.0.2); `air` leads to whoever listens at `wires().modulator` (modulator.py). Nothing
leads out.
"""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, Literal

from tests.machines import monitor
from tests.machines.debian import Image, mac
from tests.machines.places import BUILD, PATIENCE, ROOT, key
from tests.machines.shell import Shell
from tests.ports import free_ports

ACCEL: Final = os.environ.get("MACHINES_ACCEL", "tcg")
"""`tcg` works everywhere and is what counts; `kvm` is for whoever develops."""
_PROCESSOR: Final = {
    # What is translated is thrown away when there is no room for more, and then the machine stands still for two
    # seconds: this is the most room that there can be.
    # An older processor: what a newer one has more of is emulated step by step, and costs a sixth of the time.
    "tcg": ("tcg,thread=multi,tb-size=2048", "-cpu", "Nehalem"),
    # KVM within a machine that is virtual itself may not know the widest exchange, and ends over it.
    "kvm": ("kvm", "-cpu", "host,cx16=off"),
}
NUMBERS: Final = {"hub": 1, "box": 2}
MEMORY_MIB: Final = {"hub": 768, "box": 1536}
PROCESSORS: Final = {"hub": 1, "box": 2}
"""The least that is bought for a county has two: who sends and who works do not wait for each other."""
_BOX_NICE: Final = -10
"""The box is what is measured. What plays the operator on this machine is not to take its processors away."""
Network = Literal["mgmt", "line", "air"]

BOOT_S_MAX: Final = 300 * PATIENCE
SHUT_DOWN_S_MAX: Final = 180 * PATIENCE
DISK_END_S_MAX: Final = 60 * PATIENCE
_POLL_S: Final = 0.25


class NotInTime(Exception):
    """A machine did not do what it has to within its bound; the end of its console is in the message."""


@dataclass(frozen=True)
class Wires:
    """UDP ports of the loopback address that stand for cables: each carries Ethernet frames one way."""

    line_hub: int
    line_box: int
    air_box: int
    modulator: int


@dataclass(frozen=True)
class Running:
    """A machine that is switched on; also for another process to find it by."""

    qemu: int
    disk: int
    ssh_port: int
    http_port: int
    sockets: str
    since: float


def wires() -> Wires:
    """The cables of this clone's machines: chosen once, so that machines started one by one find each other."""
    path = BUILD / "wires.json"
    if path.exists():
        return Wires(**json.loads(path.read_text()))
    chosen = Wires(*_free_udp_ports(4))
    path.write_text(json.dumps(asdict(chosen)))
    return chosen


def argv(name: str, image: Image, running: Running, cables: Wires, disk_fd: int, clock: str) -> list[str]:
    """QEMU's command line. No display, no way out, and nothing that Debian's cloud kernel has no driver for."""
    number = NUMBERS[name]
    ssh, http = running.ssh_port, running.http_port
    forwards = f"hostfwd=tcp:127.0.0.1:{ssh}-:22,hostfwd=tcp:127.0.0.1:{http}-:80"
    here, there = (cables.line_hub, cables.line_box)[:: 1 if name == "hub" else -1]
    networks = {
        "mgmt": f"user,restrict=on,ipv6=off,{forwards}",
        "line": f"socket,udp=127.0.0.1:{there},localaddr=127.0.0.1:{here}",
        "air": f"socket,udp=127.0.0.1:{cables.modulator},localaddr=127.0.0.1:{cables.air_box}",
    }
    if name == "hub":
        del networks["air"]
    words = ["qemu-system-x86_64", "-name", name, "-machine", "pc", "-nodefaults", "-display", "none"]
    words += ["-accel", *_PROCESSOR[ACCEL]]
    words += ["-smp", str(PROCESSORS[name]), "-m", str(MEMORY_MIB[name]), "-rtc", f"base={clock},clock=host"]
    words += ["-kernel", str(image.kernel), "-initrd", str(image.initrd)]
    # Guards against a processor's faults cost an emulated one a third of its time, and guard nothing. Programs that lie
    # elsewhere each time are translated each time: the room for it would be full, and thrown away, every few minutes.
    words += ["-append", "root=/dev/vda rw console=ttyS0 quiet mitigations=off norandmaps"]
    words += ["-serial", f"file:{BUILD / name / 'console.log'}"]
    words += ["-qmp", f"unix:{running.sockets}/monitor,server=on,wait=off"]
    words += ["-object", "rng-random,id=entropy,filename=/dev/urandom", "-device", "virtio-rng-pci,rng=entropy"]
    words += ["-blockdev", f"driver=nbd,node-name=disk,server.type=fd,server.str={disk_fd}"]
    words += ["-device", "virtio-blk-pci,drive=disk,serial=first"]
    for place, (network, backend) in enumerate(networks.items()):
        card = f"id=card-{network},mac={mac(network, number)},addr={0x10 + place:#x}"
        words += ["-netdev", f"{backend},id={network}", "-device", f"virtio-net-pci,netdev={network},{card}"]
    return words


class Machine:
    """One machine by name, `hub` or `box`; switched on or not."""

    def __init__(self, name: str, image: Image) -> None:
        self.name = name
        self.image = image
        self.folder = BUILD / name
        self.folder.mkdir(parents=True, exist_ok=True)
        self.powered_at = 0.0
        """time.monotonic() of the last power_on."""

    # Disks

    @property
    def disk(self) -> Path:
        return self.folder / "disk"

    def install(self) -> None:
        """A bare disk, as Debian's installer leaves it."""
        self._lay(self.image.disk)

    def save(self, name: str) -> None:
        """Keeps the disk under a name. The machine is off."""
        assert self.running() is None, "the disk of a machine that is on changes under the copy"
        kept = self.kept(name)
        _copy_sparse(self.disk, kept.with_suffix(".new"))
        kept.with_suffix(".new").replace(kept)

    def load(self, name: str) -> None:
        """The disk as it was kept."""
        self._lay(self.kept(name))

    def kept(self, name: str) -> Path:
        """Where a disk of that name is kept."""
        return self.folder / f"kept-{name}"

    def _lay(self, source: Path) -> None:
        assert self.running() is None, "the disk of a machine that is on is not exchanged"
        _copy_sparse(source, self.disk)

    # Power

    def running(self) -> Running | None:
        """None when it is off, also when it switched itself off."""
        try:
            found = Running(**json.loads((self.folder / "running.json").read_text()))
        except FileNotFoundError:
            return None
        return found if _lives(found.qemu) else None

    def power_on(self, *, clock: str = "utc", seed: str = "") -> None:
        """Presses the button. `clock`: what its clock shows, `utc` or `1970-01-01T00:00:00`; `seed`: what a cut takes.

        Returns at once.
        """
        assert self.running() is None, f"{self.name} is on already"
        self._put_away()
        ours, theirs = socket.socketpair()
        ssh_port, http_port = free_ports(2)
        sockets = tempfile.mkdtemp(prefix=f"songshan-{self.name}-")
        with ours, theirs, (self.folder / "qemu.log").open("a") as log:
            serve = [sys.executable, "-m", "tests.machines.disk", str(self.disk), "--fd", str(theirs.fileno())]
            serve += ["--seed", seed, "--log", str(self.folder / "disk.log")]
            disk = _start(serve, log.fileno(), theirs.fileno())
            running = Running(0, disk, ssh_port, http_port, sockets, time.time())
            words = argv(self.name, self.image, running, wires(), ours.fileno(), clock)
            words = ["nice", "-n", str(_BOX_NICE), *words] if self.name == "box" else words
            self.powered_at = time.monotonic()
            qemu = _start(words, log.fileno(), ours.fileno())
        running = Running(qemu, disk, ssh_port, http_port, sockets, running.since)
        (self.folder / "running.json").write_text(json.dumps(asdict(running)))
        (self.folder / "known_hosts").write_text(f"[127.0.0.1]:{ssh_port} {self.image.host_key}\n")

    def power_cut(self) -> dict[str, object]:
        """Kills the emulator: what was not flushed is lost as the seed says. Returns what the disk told of it."""
        return self._end(signal.SIGKILL)

    def shut_down(self) -> None:
        """As by its button: Debian ends its services and switches off. Raises NotInTime where it does not."""
        running = self._on()
        self.shell.run("systemctl poweroff --no-wall", check=False)
        self.until("switches off", lambda: not _lives(running.qemu), SHUT_DOWN_S_MAX)
        self._put_away()

    def _end(self, by: signal.Signals) -> dict[str, object]:
        running = self._on()
        os.kill(running.qemu, by)
        self.until("its emulator ends", lambda: not _lives(running.qemu), DISK_END_S_MAX)
        self._put_away()
        return dict(json.loads((self.folder / "disk.log").read_text().splitlines()[-1]))

    def _on(self) -> Running:
        running = self.running()
        assert running is not None, f"{self.name} is off"
        return running

    def _put_away(self) -> None:
        """What a machine that is off leaves: its disk is written to the end, its line and its sockets go."""
        path = self.folder / "running.json"
        if not path.exists():
            return
        left = Running(**json.loads(path.read_text()))
        assert not _lives(left.qemu), f"{self.name} is on"
        deadline = time.monotonic() + DISK_END_S_MAX
        while _lives(left.disk):
            if time.monotonic() > deadline:
                raise NotInTime(f"{self.name}: its disk does not end")
            time.sleep(_POLL_S)
        self._shell(left).hang_up()
        shutil.rmtree(left.sockets, ignore_errors=True)
        path.unlink()

    # What an operator has of it

    @property
    def shell(self) -> Shell:
        return self._shell(self._on())

    def _shell(self, running: Running) -> Shell:
        return Shell(running.ssh_port, key(), self.folder / "known_hosts", Path(running.sockets) / "ssh")

    @property
    def http(self) -> str:
        """Its web server, as a citizen in the town's network would call it."""
        return f"http://127.0.0.1:{self._on().http_port}"

    def wait_for_ssh(self, within_s: float = BOOT_S_MAX) -> float:
        """Seconds from the button to an operator's first command. Raises NotInTime."""
        self.until("lets an operator in", lambda: self.shell.reached(), within_s)
        return time.monotonic() - self.powered_at

    def until(self, what: str, holds: Callable[[], bool], within_s: float) -> None:
        """Waits for something to hold. Raises NotInTime with the end of the console."""
        deadline = time.monotonic() + within_s
        while not holds():
            if time.monotonic() > deadline:
                raise NotInTime(f"{self.name}: not within {within_s:.0f} s: {what}\n{self.console()[-3000:]}")
            time.sleep(_POLL_S)

    def console(self) -> str:
        """What it wrote to its serial console since it was switched on."""
        try:
            return (self.folder / "console.log").read_text(errors="replace")
        except FileNotFoundError:
            return ""

    # Its surroundings

    def link(self, network: Network, *, up: bool) -> None:
        """Plugs a cable in or pulls it out."""
        self.ask("set_link", name=f"card-{network}", up=up)

    def plug(self, image: Path, name: str) -> None:
        """A stick is put in: a raw image as one more disk; virtio, for Debian's cloud kernel knows no USB."""
        self.ask(
            "blockdev-add", **{"driver": "raw", "node-name": name, "file": {"driver": "file", "filename": str(image)}}
        )
        self.ask("device_add", driver="virtio-blk-pci", drive=name, id=name, serial=name)

    def unplug(self, name: str) -> None:
        """The stick is pulled out."""
        self.ask("device_del", id=name)
        self.until("lets go of the stick", lambda: name not in self._disks(), DISK_END_S_MAX)
        self.ask("blockdev-del", **{"node-name": name})

    def _disks(self) -> set[str]:
        return {str(each["qdev"]).split("/")[-2] for each in self.ask("query-block") if each.get("qdev")}

    def thrown_away(self) -> int:
        """How often since it was switched on the emulator had no room, and translated all anew: two seconds each."""
        told = self.ask("human-monitor-command", **{"command-line": "info jit"}) if ACCEL == "tcg" else ""
        found = re.search(r"TB flush count\s+(\d+)", str(told))
        return int(found[1]) if found else 0

    def ask(self, command: str, **arguments: object) -> Any:
        """A word with QEMU's monitor."""
        return monitor.ask(Path(self._on().sockets) / "monitor", command, **arguments)


def _start(words: list[str], log_fd: int, keep_fd: int) -> int:
    """A process that outlives this one."""
    started = subprocess.Popen(
        words,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=log_fd,
        stderr=log_fd,
        pass_fds=(keep_fd,),
        start_new_session=True,
    )
    return started.pid


def _lives(pid: int) -> bool:
    """Whether a process runs; one of our own that has ended is reaped."""
    try:
        if os.waitpid(pid, os.WNOHANG)[0] == pid:
            return False
    except ChildProcessError:
        pass
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def _copy_sparse(source: Path, target: Path) -> None:
    argv = ["cp", "--sparse=always", "--reflink=auto", str(source), str(target)]
    subprocess.run(argv, check=True, timeout=600)


def _free_udp_ports(count: int) -> list[int]:
    probes = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()
