"""A hub and its boxes in one process: the real folder, the real database, both ends of the real session; no line, no
clock, no sshd. Either side can be copied and brought back, as a backup or a cloned disk is."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlite_utils import Database

from appliance import files, spool
from appliance.config import Config, HubAddress
from appliance.core import records
from appliance.core.asset import hex_of
from appliance.core.errors import HubUnreachable, Text
from appliance.core.events import Event, RefusedBy
from appliance.core.journal import Position, Record, public_key_text
from appliance.core.moment import US
from appliance.core.session import Session
from appliance.store import air, database, facts, journals
from appliance.store.database import transaction, writing
from edge_agent.apply import Applying
from edge_agent.conversation import Conversation
from edge_agent.line import Line
from edge_agent.standing import doubt_if_new
from provisioning import identity
from provisioning.hub import enrolment
from provisioning.hub.conversation import Conversation as HubConversation
from provisioning.hub.folder import HubFolder, HubSettings, render_settings
from provisioning.hub.journals import HubJournals
from provisioning.hub.machines import machines_of
from provisioning.hub.sites import Site
from provisioning.joining import JoinRequest
from tests.appliance.boxes import HUB, box

START_US = 1_795_500_000 * US
SITE = "dengfeng"
KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
ONE, OTHER = "a" * 64, "b" * 64
"""Two machines."""


@dataclass
class Ticking:
    """The clock of a machine."""

    us: int = START_US

    def wall_us(self) -> int:
        return self.us

    def running_us(self) -> int:
        return self.us


@dataclass
class Hub:
    """A hub in a folder. `sessions` are those that are open, by box."""

    path: Path
    clock: Ticking
    sessions: dict[str, "Wire"] = field(default_factory=dict)

    @property
    def folder(self) -> HubFolder:
        return HubFolder(self.path, self.clock)

    @property
    def journals(self) -> HubJournals:
        return HubJournals(self.folder)

    def make(self) -> None:
        self.path.mkdir()
        for path in (self.folder.ssh, self.folder.journals, self.folder.assets, self.folder.renditions):
            path.mkdir(parents=True)
        for path in (self.folder.sites, self.folder.claims, self.folder.log):
            path.mkdir()
        settings = HubSettings(id="songshan", host="127.0.0.1", port=22, user="hub", key_valid_days=0)
        self.folder.settings_file.write_text(render_settings(settings))
        identity.make_key_files(self.folder.sign_key, "sign")
        identity.make_key_files(self.folder.host_key, "host")

    def enrol(self, site: str, key: Ed25519PrivateKey) -> None:
        """A site whose box has joined and was approved."""
        bundle = enrolment.enrol(self.folder, site, site, "Asia/Shanghai", (), True, 7, self.clock.us)
        line = identity.public_line(key.public_key())
        request = JoinRequest(ssh_key=line, sign_key=public_key_text(key.public_key()), software="test")
        assert enrolment.join(self.folder, bundle.claim.id, request, self.clock.us).verdict == "approved"

    def write(self, stream: str, kind: str, key: str, body: records.Body) -> Record:
        return self.journals.append(stream, kind, key, body)

    def order(self, site: str, name: str) -> Record:
        return self.write(f"{site}/control", "order", name, records.Order(id=name, title=f"采访 {name}"))

    def recall(self, target: str) -> Record:
        return self.write("all/control", "recall", target, records.Recall(target, "误发", "2026-11-24T06:00:00Z"))

    def keys(self, stream: str) -> list[str]:
        return [record.header.key for record in self.journals.stream(stream).records()]

    def position(self, stream: str) -> Position:
        return self.journals.stream(stream).position()

    def fenced(self, site: str) -> tuple[str, ...]:
        return machines_of(self.folder, site).fenced

    def approve(self, site: str, machine: str | None = None) -> Site:
        return enrolment.approve(self.folder, site, self.clock.us, machine)

    def back_up(self) -> Path:
        """A copy of the folder, as a backup of last night is."""
        copy = self.path.with_name(f"{self.path.name}-{len([*self.path.parent.iterdir()])}")
        shutil.copytree(self.path, copy, symlinks=True)
        return copy

    def come_back(self, backup: Path) -> None:
        """The disk was lost; the copy takes its place."""
        self.cut()
        shutil.rmtree(self.path)
        shutil.copytree(backup, self.path, symlinks=True)

    def cut(self) -> None:
        """Every line is gone."""
        for wire in self.sessions.values():
            wire.is_up = False
        self.sessions.clear()

    def uploaded(self, site: str, digest: str, content: bytes) -> None:
        """As the site's rsync leaves it."""
        (self.folder.site(site).incoming / hex_of(digest)).write_bytes(content)


class Wire:
    """The box's side of a line whose other end is a real conversation of the hub's."""

    def __init__(self, hub: Hub, site: str) -> None:
        before = hub.sessions.get(site)
        if before is not None:
            before.is_up = False
        hub.sessions[site] = self
        self.hub, self.is_up = hub, True
        self.conversation = HubConversation(hub.folder, site)
        self._wake = os.eventfd(1, os.EFD_NONBLOCK)

    def fileno(self) -> int:
        return self._wake

    def read(self) -> bytes:
        self._check()
        self.conversation.turn()
        while self.conversation.is_busy:
            self.conversation.turn()
        data = self.conversation.data_to_send()
        if not data and self.conversation.is_over:
            raise HubUnreachable(Text("嵩山云结束了会话", "the hub ended the session"))
        return data

    def write(self, data: bytes) -> None:
        self._check()
        self.conversation.receive(data)

    def close(self) -> None:
        self.is_up = False

    def _check(self) -> None:
        if not self.is_up:
            raise HubUnreachable(Text("连接断了", "the line is gone"))


class Stranger(Wire):
    """In the hub's place: says what a test makes it say, at the time that it is, and signs nothing."""

    def __init__(self, hub: Hub, site: str) -> None:
        self.hub, self.site, self.is_up = hub, site, True
        heads = hub.journals.positions(site)
        self.session = Session.hub(site, "songshan", hub.position(f"{site}/report"), heads, "", hub.clock.us)
        self.heard: list[Event] = []
        self._wake = os.eventfd(1, os.EFD_NONBLOCK)

    def read(self) -> bytes:
        self._check()
        return self.session.data_to_send()

    def write(self, data: bytes) -> None:
        self.heard += self.session.receive(data)

    def refused(self) -> dict[str, str]:
        """Streams that the box will not read any more, with its verdict."""
        return {event.stream: event.verdict.value for event in self.heard if isinstance(event, RefusedBy)}


@dataclass
class Dialled:
    """An attempt that is answered at once."""

    hub: Hub
    site: str
    is_up: bool
    stranger: Stranger | None

    def answer(self) -> Wire | HubUnreachable:
        if self.stranger is not None:
            return self.stranger
        return Wire(self.hub, self.site) if self.is_up else HubUnreachable(Text("不在线", "offline"))

    def give_up(self) -> None:
        """There is nothing to wait for."""


@dataclass
class County:
    """A box while its agent runs."""

    hub: Hub
    config: Config
    db: Database
    clock: Ticking
    conversation: Conversation
    line: Line
    is_connected: bool = True
    stranger: Stranger | None = None
    """Who answers in the hub's place."""

    @property
    def own(self) -> str:
        return f"{self.config.site}/report"

    def turn(self, step_us: int = 100_000) -> None:
        self.clock.us += step_us
        if self.line.state == "away" and self.clock.us >= self.line.next_attempt_us:
            self.line.dial()
        self.conversation.listen(self.clock.us, 0.5)
        self.conversation.speak(self.clock.us, 0.5, settle=True)

    def talk(self, turns: int = 40) -> None:
        """Until both sides have said what there is, also where the line has first to be had again."""
        self.turn()
        self.turn(61 * US)
        for _turn in range(turns):
            self.turn()

    def say(self, *keys: str) -> None:
        """Citizens write."""
        for key in keys:
            body = records.encode(records.Tip(id=key, text=f"路灯 {key}", at="2026-11-24T06:00:00Z"))
            with transaction(self.db):
                journals.append_own(self.db, self.own, [("tip", key, body)], self.clock.us)

    def rows(self, sql: str) -> list[Any]:
        found = [tuple(row.values()) for row in database.rows(self.db, sql)]
        return [row[0] if len(row) == 1 else row for row in found]

    def orders(self) -> list[str]:
        return self.rows("SELECT id FROM orders ORDER BY id")

    def said(self) -> list[str]:
        """Keys of the own stream, as it stands."""
        return self.rows(f"SELECT key FROM journal WHERE stream = '{self.own}' ORDER BY epoch, seq")

    def position(self, stream: str) -> Position:
        return journals.cursor(self.db, stream).position

    def alarms(self) -> dict[str, str]:
        """What is wrong with streams, by alarm: its severity."""
        found = facts.snapshot(self.db, self.config, self.clock.us).alarms
        return {each.id: each.severity for each in found if "stream:" in each.id or each.id in ("held", "hub-view")}


@dataclass
class World:
    """One hub, any number of boxes and copies of them, one clock."""

    root: Path
    clock: Ticking
    hub: Hub
    bundles: dict[str, str] = field(default_factory=dict)
    """By box: the hub's signing key as it was told at the beginning."""

    def stranger(self, site: str = SITE) -> "Stranger":
        """Somebody in the hub's place."""
        return Stranger(self.hub, site)

    @contextmanager
    def box(
        self,
        name: str = "box",
        site: str = SITE,
        key: Ed25519PrivateKey = KEY,
        machine: str = ONE,
        is_up: bool = True,
    ) -> Iterator[County]:
        """The box in folder `name`, new or as it was left, while its agent runs."""
        sign_key = self.bundles.setdefault(name, self.hub.journals.signs())
        config = box(self.root / name, HubAddress(**{**vars(HUB), "sign_key": sign_key}))
        config = type(config)(**{**vars(config), "site": site, "clock": self.clock})
        files.make_folders(config)
        spool.make_folders(config)
        with writing(config.database) as db:
            db.execute("PRAGMA synchronous = OFF")
            with transaction(db):
                for channel in config.channels:
                    air.ensure_channel(db, channel.id, config.zone, self.clock.us)
            doubt_if_new(db, config, machine)
            applying = Applying(config, self.clock.wall_us)
            line = Line("songshan", lambda: Dialled(self.hub, site, county.is_connected, county.stranger))
            conversation = Conversation(config, db, key, line, applying, machine)
            county = County(self.hub, config, db, self.clock, conversation, line, is_up)
            journals.apply_parked(db, applying.again)
            yield county
            conversation.close()

    def clone(self, name: str, copy: str) -> None:
        """An image of a box's disk, as it lies."""
        shutil.rmtree(self.root / copy, ignore_errors=True)
        shutil.copytree(self.root / name, self.root / copy)
        self.bundles[copy] = self.bundles[name]


def world(root: Path, *sites: str) -> World:
    """A hub with sites whose boxes have all joined."""
    clock = Ticking()
    hub = Hub(root / "hub", clock)
    hub.make()
    for site in sites or (SITE,):
        hub.enrol(site, KEY)
    return World(root, clock, hub)
