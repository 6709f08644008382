"""Syncthing as two daemons that know each other's keys and addresses, and nobody else.

No discovery, no relays, no NAT, no usage or crash reports, no upgrades: nothing of it leaves this machine. The hub's
runs as its sshd does; a run is the box's daemon from its start until both say that they have all there is.
"""

import json
import re
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from tests.bench.corpus import Corpus
from tests.bench.oneshot import RENAMED
from tests.bench.program import ENVIRON, Arrived, end, link_in_place, put_in_place, run, version_of, wait
from tests.ports import free_ports

FOLDER = "media"
OPTIONS = {
    "globalAnnounceEnabled": "false",
    "localAnnounceEnabled": "false",
    "relaysEnabled": "false",
    "natEnabled": "false",
    "startBrowser": "false",
    "urAccepted": "-1",
    "autoUpgradeIntervalH": "0",
    "crashReportingEnabled": "false",
    "stunKeepaliveStartS": "0",
    "reconnectionIntervalS": "1",
    "setLowPriority": "false",
    # What it does on a local network and over a long line is to be the same.
    "limitBandwidthInLan": "false",
}
START_LIMIT_S = 90
ANSWER_LIMIT_S = 30


@dataclass
class Device:
    """One daemon: its home, the tree that it shares, the ports of its API and of its peers."""

    home: Path
    tree: Path
    api_port: int
    port: int
    id: str = ""
    key: str = ""
    process: subprocess.Popen[bytes] | None = None

    def make(self) -> None:
        """Keys and a config with no folder."""
        argv = ["syncthing", "generate", f"--home={self.home}", "--no-default-folder", "--skip-port-probing"]
        run(argv, START_LIMIT_S, self.home.with_suffix(".log"), self.environ())
        found = re.search(r'<device id="([A-Z0-9-]{63})"', self.config.read_text())
        assert found, "a generated config names its device"
        self.id = found[1]

    def configure(self, other: "Device", address: str, *, listens: bool) -> None:
        """Know the other one, share the tree with it."""
        document = ElementTree.parse(self.config)  # written by the program on this machine
        root = document.getroot()
        for name, value in {**OPTIONS, "listenAddress": f"tcp://127.0.0.1:{self.port}" if listens else ""}.items():
            _set(root, f"options/{name}", value)
        _set(root, "gui/address", f"127.0.0.1:{self.api_port}")
        self.key = root.findtext("gui/apikey") or ""
        for known in root.findall("device"):
            if known.get("id") == other.id:
                root.remove(known)
        for shared in root.findall("folder"):
            root.remove(shared)
        device = ElementTree.SubElement(root, "device", {"id": other.id, "name": "other", "compression": "metadata"})
        ElementTree.SubElement(device, "address").text = address
        settings = {"rescanIntervalS": "0", "fsWatcherEnabled": "true", "fsWatcherDelayS": "1"}
        folder = ElementTree.SubElement(root, "folder", {"id": FOLDER, "path": str(self.tree), **settings})
        for device_id in (self.id, other.id):
            ElementTree.SubElement(folder, "device", {"id": device_id})
        document.write(self.config)

    def start(self) -> None:
        argv = ["setpriv", "--pdeathsig", "KILL", "syncthing", "serve", f"--home={self.home}", "--no-browser"]
        with self.home.with_suffix(".log").open("ab") as log:
            self.process = subprocess.Popen(
                [*argv, "--no-restart", "--no-upgrade"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self.environ(),
                start_new_session=True,
            )
        wait(lambda: self.ask("system/ping") is not None, START_LIMIT_S)

    def stop(self) -> None:
        if self.process is not None:
            end(self.process)
            self.process = None

    def ask(self, path: str, *, post: bool = False) -> Any:
        """Its API's answer; None where it gives none (yet)."""
        address = f"http://127.0.0.1:{self.api_port}/rest/{path}"
        request = urllib.request.Request(address, headers={"X-API-Key": self.key}, method="POST" if post else "GET")
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_LIMIT_S) as answer:  # loopback
                return json.loads(answer.read() or b"{}")
        except (urllib.error.URLError, OSError):
            return None

    def scan(self) -> None:
        """Look at the tree; it has been looked at when this returns."""
        self.ask(f"db/scan?folder={FOLDER}", post=True)

    def state(self) -> dict[str, Any]:
        return self.ask(f"db/status?folder={FOLDER}") or {}

    @property
    def config(self) -> Path:
        return self.home / "config.xml"

    def environ(self) -> dict[str, str]:
        return {**ENVIRON, "HOME": str(self.home), "STNODEFAULTFOLDER": "1", "STNOUPGRADE": "1"}


def _set(root: ElementTree.Element, path: str, value: str) -> None:
    element = root.find(path)
    assert element is not None, path
    element.text = value


@dataclass
class Syncthing:
    """The pair, as one of the programs that are compared."""

    folder: Path
    name: str = "syncthing"
    server_port: int = 0
    hub: Device = field(init=False)
    box: Device = field(init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        hub_api, box_api, self.server_port = free_ports(3)
        self.hub = Device(self.folder / "hub", self.folder / "hub-tree", hub_api, self.server_port)
        self.box = Device(self.folder / "box", self.folder / "box-tree", box_api, 0)
        for device in (self.hub, self.box):
            device.make()

    def connect(self, port: int) -> None:
        self.close()
        self.hub.configure(self.box, "dynamic", listens=True)
        self.box.configure(self.hub, f"tcp://127.0.0.1:{port}", listens=False)

    def stock(self, corpus: Corpus) -> None:
        corpus.linked_to(self.hub.tree)
        self._begin()

    def seed(self, corpus: Corpus) -> None:
        self.hub.stop()
        corpus.copied_to(self.box.tree)
        self._begin()
        self.box.start()
        self.box.scan()
        self.box.stop()
        self.sync(limit_s=600)

    def _begin(self) -> None:
        for device in (self.hub, self.box):
            (device.tree / ".stfolder").mkdir(parents=True, exist_ok=True)
        self.hub.start()
        self.hub.scan()

    def holds(self, corpus: Corpus) -> bool:
        return corpus.is_in(self.box.tree)

    def sync(self, limit_s: float) -> None:
        self.box.start()
        try:
            self.sync_connected(limit_s)
        finally:
            self.box.stop()

    def sync_connected(self, limit_s: float) -> None:
        """Both look at their trees, and are the same when neither lacks anything that the other one has."""
        self.hub.scan()
        self.box.scan()
        wait(self._is_same, limit_s)

    def change(self, number: int) -> Arrived:
        path = self._one()
        data, copy = put_in_place(path, number), self.box.tree / path.relative_to(self.hub.tree)
        return lambda: copy.read_bytes() == data

    def replace(self, fresh: Path) -> None:
        link_in_place(self._one(), fresh)

    def rename(self) -> None:
        path = self._one()
        path.rename(path.with_name(RENAMED))

    def start(self) -> None:
        """The box's daemon as a service, until it is connected."""
        self.box.start()
        wait(self._is_same, START_LIMIT_S)

    def close(self) -> None:
        for device in (self.hub, self.box):
            device.stop()

    def _is_same(self) -> bool:
        connections = (self.box.ask("system/connections") or {}).get("connections", {})
        if not connections.get(self.hub.id, {}).get("connected"):
            return False
        hub, box = self.hub.state(), self.box.state()
        counts = [each.get(f"{scope}{what}") for each in (hub, box) for scope in ("global", "local") for what in _WHAT]
        is_quiet = all(each.get("state") == "idle" and each.get("needTotalItems") == 0 for each in (hub, box))
        same = counts[: len(_WHAT)]
        return is_quiet and None not in counts and counts == same * 4

    def _one(self) -> Path:
        return next(path for path in sorted(self.hub.tree.rglob("*.bin")) if path.name != RENAMED)


_WHAT = ("Files", "Directories", "Bytes", "Deleted")


def version() -> str | None:
    """What is installed of it."""
    said = version_of("syncthing", "--version")
    return " ".join(said.split()[:2]) if said else None
