"""A box and a simulated hub in one process: real database, real judge, real session, no sshd."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlite_utils import Database

from appliance import files, spool
from appliance.config import Config, HubAddress, Limits
from appliance.core import records
from appliance.core.errors import HubUnreachable
from appliance.core.journal import Record, public_key_text
from appliance.store import air, database, journals
from appliance.store.database import transaction, writing
from edge_agent.apply import Applying
from edge_agent.conversation import Conversation
from edge_agent.core.outcomes import Outcome
from edge_agent.line import Line
from tests.appliance.boxes import AT_US, HUB, box
from tests.simulators.hub import SimulatedHub, SimulatedLink

SITE = "dengfeng"
OWN = f"{SITE}/report"


@dataclass
class SimulatedDial:
    """An attempt that is answered at once."""

    hub: SimulatedHub

    def answer(self) -> SimulatedLink | HubUnreachable:
        try:
            return self.hub.connect(SITE)
        except HubUnreachable as error:
            return error

    def give_up(self) -> None:
        """There is nothing to wait for."""


@dataclass
class Rig:
    """One box with its conversation. `now_us` moves on with every turn."""

    config: Config
    db: Database
    hub: SimulatedHub
    key: Ed25519PrivateKey
    applying: Applying
    line: Line
    conversation: Conversation
    now_us: int = AT_US
    outcomes: list[Outcome] = field(default_factory=list)

    def turn(self, step_us: int = 100_000) -> None:
        self.now_us += step_us
        if self.line.state == "away" and self.now_us >= self.line.next_attempt_us:
            self.line.dial()
        self.outcomes += self.conversation.listen(self.now_us, 0.5)
        self.conversation.speak(self.now_us, 0.5, settle=True)

    def talk(self, turns: int = 40) -> None:
        """Until both sides have said what there is."""
        for _turn in range(turns):
            self.turn()

    def say(self, kind: str, key: str, body: records.Body) -> None:
        with transaction(self.db):
            journals.append_own(self.db, OWN, [(kind, key, records.encode(body))], self.now_us)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return [tuple(row.values()) for row in database.rows(self.db, sql)]


def write(hub: SimulatedHub, stream: str, kind: str, key: str, body: records.Body) -> Record:
    """A record of the hub's."""
    return hub.append(stream, kind, key, records.encode(body))


def config_for(hub: SimulatedHub, home: Path, limits: Limits | None = None) -> Config:
    """A box that knows the simulated hub's key."""
    signed_by = public_key_text(hub.key.public_key())
    return box(home, HubAddress(**{**vars(HUB), "sign_key": signed_by}), limits)


@contextmanager
def rig(home: Path, hub: SimulatedHub | None = None) -> Iterator[Rig]:
    """A box in `home`, new or as it was left; and its hub."""
    key = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
    hub = hub or SimulatedHub()
    if SITE not in hub.sites:
        hub.enrol(SITE, key.public_key())
    config = config_for(hub, home)
    files.make_folders(config)
    spool.make_folders(config)
    with writing(config.database) as db:
        with transaction(db):
            for channel in config.channels:
                air.ensure_channel(db, channel.id, config.zone, AT_US)
        applying = Applying(config, lambda: AT_US)
        line = Line("songshan", lambda: SimulatedDial(hub))
        conversation = Conversation(config, db, key, line, applying)
        yield Rig(config, db, hub, key, applying, line, conversation)
        conversation.close()
