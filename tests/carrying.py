"""A hub and a box that no line connects: real folders, keys, agent and sticks; nobody had to be served to join."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from appliance import spool
from appliance import stick as sticks
from appliance.commands import carry as outbound
from appliance.config import ChannelConfig, Config, HubAddress, Limits, load, render
from appliance.core import records
from appliance.core.asset import Asset
from appliance.core.carry import Label
from appliance.core.command import Command, Import
from appliance.core.health import Carrying
from appliance.core.item import Item, SignOff
from appliance.core.journal import Record, public_key_text
from appliance.core.moment import to_text
from appliance.keys import read_sign_key, unused_mark
from appliance.store import desk, facts
from appliance.store.database import reading
from edge_agent.boot import running
from provisioning import identity
from provisioning.hub import carried, carry
from provisioning.hub.folder import HubFolder, HubSettings, render_settings
from provisioning.hub.journals import HubJournals
from provisioning.hub.library import Library
from provisioning.hub.sites import Site, write_site
from tests.ports import free_ports

SITE, HUB = "dengfeng", "songshan"


@dataclass
class Pair:
    """The two ends, and the stick between them."""

    folder: HubFolder
    home: Path
    stick: Path

    @property
    def config(self) -> Config:
        return load(self.home, {})

    @property
    def journals(self) -> HubJournals:
        return HubJournals(self.folder)

    @property
    def box_key(self) -> Ed25519PrivateKey:
        return read_sign_key(self.home / "keys" / "sign")

    def publish(self, data: bytes, identity: str, stream: str = f"{SITE}/content") -> str:
        """An item with one file; the digest of the file."""
        asset = self.asset(data)
        at = to_text(self.folder.now_us())
        item = Item(identity, identity, "news", "hub", at, assets=(asset,), sign_offs=(SignOff("final", HUB, at),))
        Library(self.folder).let_read(SITE, (asset,))
        self.journals.append(stream, "item", identity, item)
        return asset.digest

    def asset(self, data: bytes) -> Asset:
        source = self.folder.path / "source"
        source.write_bytes(data)
        digest, size_bytes, _new = Library(self.folder).copy_in(source, 10**9)
        return Asset(digest, size_bytes, "a.bin")

    def order(self, identity: str) -> Record:
        return self.journals.append(f"{SITE}/control", "order", identity, records.Order(identity, identity, "", None))

    def recall(self, target: str) -> None:
        body = records.Recall(target, "误发", to_text(self.folder.now_us()))
        self.journals.append(f"{SITE}/control", "recall", target, body)

    def export(self, *, everything: bool = False) -> carry.Exported:
        with sticks.opened(self.stick, to_write=True) as stick:
            label = sticks.read_label(stick, SITE, HUB)
            return carry.export(self.folder, SITE, stick, label, everything=everything)

    def take_in(self) -> carried.Taken:
        with sticks.opened(self.stick) as stick:
            return carried.take_in(self.folder, stick, sticks.read_label(stick, SITE, HUB))

    def export_box(self, *, everything: bool = False) -> outbound.Exported:
        with sticks.opened(self.stick, to_write=True) as stick:
            label = sticks.read_label(stick, SITE, HUB)
            return outbound.export(self.config, self.box_key, stick, label, everything=everything)

    def do(self, command: Command, attachments: tuple[Path, ...] = ()) -> desk.Audited:
        """Give a command, and let the agent carry out all that there is."""
        name = spool.put(self.config, command, attachments)
        self.run_agent()
        with reading(self.config.database) as db:
            done = desk.audited(db, name)
        assert done is not None
        return done

    def run_agent(self) -> None:
        with running(self.config, once=True) as agent:
            agent.run()

    def take_in_box(self) -> desk.Audited:
        return self.do(Import(path=str(self.stick), by="技术员", via="cli", at=to_text(self.folder.now_us())))

    def carrying(self) -> Carrying:
        with reading(self.config.database) as db:
            return facts.carrying(db)

    def served(self) -> set[str]:
        return {f"sha256:{path.name}" for path in (self.home / "public").iterdir()}

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        with reading(self.config.database) as db:
            return [tuple(row) for row in db.conn.execute(sql).fetchall()]

    def page(self, side: str, stream: str) -> Path:
        """The first page of a stream on the stick."""
        return sorted((self.stick / side / "streams" / stream).glob("*.records"))[0]

    def on_stick(self, side: str, digest: str) -> Path:
        name = digest.removeprefix("sha256:")
        return self.stick / side / "assets" / name[:2] / name


def new_label(site: str = SITE, hub: str = HUB) -> Label:
    return Label(1, secrets.token_hex(16), site, hub, "hub", "2026-11-24T06:00:00Z")


@contextmanager
def pair(path: Path) -> Iterator[Pair]:
    """Both ends, approved, and a labelled stick. The box's line leads nowhere."""
    folder = HubFolder(path / "hub")
    for each in (
        folder.ssh,
        folder.journals,
        folder.assets,
        folder.renditions,
        folder.sites,
        folder.claims,
        folder.log,
    ):
        each.mkdir(parents=True)
    [port] = free_ports(1)
    folder.settings_file.write_text(render_settings(HubSettings(HUB, "127.0.0.1", port, "nobody")))
    hub_key = identity.make_key_files(folder.sign_key, "hub")
    home = path / "box"
    box_key = identity.make_key_files(home / "keys" / "sign", "box")
    unused_mark(home / "keys" / "sign").touch()
    ssh_key = identity.make_key_files(home / "keys" / "ssh", "box")
    channels = (ChannelConfig(f"{SITE}-1", "登封综合"),)
    with folder.locked():
        write_site(
            folder,
            Site(
                SITE,
                "登封市",
                "Asia/Shanghai",
                channels,
                "approved",
                "2026-11-24T06:00:00Z",
                sign_key=public_key_text(box_key.public_key()),
            ),
        )
    host_key = identity.public_line(ssh_key.public_key())
    address = HubAddress(HUB, "127.0.0.1", port, "nobody", (host_key,), public_key_text(hub_key.public_key()))
    config = Config(
        home, home / "run", SITE, "登封市", hub=address, channels=channels, limits=Limits(reserve_bytes=1_000_000)
    )
    (home / "appliance.toml").write_text(render(config))
    stick = path / "usb"
    stick.mkdir()
    with sticks.opened(stick, to_write=True) as made:
        sticks.label(made, new_label())
    yield Pair(folder, home, stick)
