"""A real hub folder and a box's side of the conversation in one process: no sshd, no agent, bytes as on the line."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlite_utils import Database

from appliance import files, spool
from appliance.config import ChannelConfig, Config, HubAddress
from appliance.core.errors import HubUnreachable, Text
from appliance.core.journal import public_key_text
from appliance.store import air, database, journals
from appliance.store.database import transaction, writing
from edge_agent.apply import Applying
from edge_agent.conversation import Conversation
from edge_agent.line import Line
from provisioning import identity
from provisioning.hub import conversation as hub_side
from provisioning.hub import enrolment
from provisioning.hub.folder import HubFolder
from provisioning.hub.journals import HubJournals
from provisioning.joining import JoinRequest
from tests.appliance.boxes import HUB, box

SITE = "dengfeng"
OWN_KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)


@dataclass
class DirectLink:
    """The line, as the box holds it."""

    hub: hub_side.Conversation
    is_cut: bool = False

    def __post_init__(self) -> None:
        self._wake = os.eventfd(1, os.EFD_NONBLOCK)

    def fileno(self) -> int:
        return self._wake

    def read(self) -> bytes:
        self._check()
        self.hub.turn()
        return self.hub.data_to_send()

    def write(self, data: bytes) -> None:
        self._check()
        self.hub.receive(data)

    def close(self) -> None:
        self.is_cut = True

    def _check(self) -> None:
        if self.is_cut:
            raise HubUnreachable(Text("连接断了", "the line is gone"))


@dataclass
class DirectDial:
    folder: HubFolder

    def answer(self) -> DirectLink:
        return DirectLink(hub_side.Conversation(self.folder, SITE))

    def give_up(self) -> None:
        """There is nothing to wait for."""


@dataclass
class Pair:
    """A box that talks with a hub folder. `now_us` moves on with every turn."""

    config: Config
    db: Database
    line: Line
    conversation: Conversation
    now_us: int

    def turn(self) -> None:
        self.now_us += 100_000
        if self.line.state == "away":
            self.now_us = max(self.now_us, self.line.next_attempt_us)
            self.line.dial()
        self.conversation.listen(self.now_us, 0.5)
        self.conversation.speak(self.now_us, 0.5, settle=True)

    def talk(self, turns: int = 400) -> None:
        """Until both sides have said what there is."""
        for _turn in range(turns):
            self.turn()
            if self.conversation.state().is_settled and self.conversation.state().state == "connected":
                return
        raise AssertionError("they do not come to an end")

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return [tuple(row.values()) for row in database.rows(self.db, sql)]

    def stands(self, stream: str) -> int:
        return journals.cursor(self.db, stream).position.seq


def enrol(folder: HubFolder) -> None:
    """Let the box in: what `join` and `gate` do, without the SSH between them."""
    now_us = folder.now_us()
    channels = (ChannelConfig(f"{SITE}-1", "登封综合"),)
    bundle = enrolment.enrol(folder, SITE, "登封市", "Asia/Shanghai", channels, True, 1, now_us)
    ssh = identity.public_line(Ed25519PrivateKey.generate().public_key())
    request = JoinRequest(ssh, public_key_text(OWN_KEY.public_key()), "tests")
    assert enrolment.join(folder, bundle.claim.id, request, now_us).verdict == "approved"


@contextmanager
def pair(folder: HubFolder, home: Path) -> Iterator[Pair]:
    """A box in `home`, new or as it was left."""
    signed_by = public_key_text(HubJournals(folder).key.public_key())
    config = box(home, HubAddress(**{**vars(HUB), "sign_key": signed_by}))
    files.make_folders(config)
    spool.make_folders(config)
    now_us = folder.now_us()
    with writing(config.database) as db:
        with transaction(db):
            for channel in config.channels:
                air.ensure_channel(db, channel.id, config.zone, now_us)
        line = Line("songshan", lambda: DirectDial(folder))
        conversation = Conversation(config, db, OWN_KEY, line, Applying(config, folder.now_us))
        yield Pair(config, db, line, conversation, now_us)
        conversation.close()
