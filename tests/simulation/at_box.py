"""What must hold at one box, looked at after every step."""

import os
from collections import Counter
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import msgspec

from appliance.core import wire
from tests.simulation.forging import is_named
from tests.simulation.model import Model, Violation, origin_of
from tests.simulation.sides import SITE, Box

if TYPE_CHECKING:
    from tests.simulation.oracle import Oracle

OWN = wire.stream_of_site(SITE)
HUB_STREAMS = wire.streams_of_hub(SITE)


class AtBox:
    """Watches one box. Alone with its key it is held to every line; one of two that share a key is not held to what
    follows from there being one writer: its own stream may be taken back, and what it took with it."""

    def __init__(self, oracle: "Oracle", box: Box) -> None:
        self.oracle, self.box = oracle, box
        self.own: dict[tuple[int, int], str] = {}
        """Every record of the own stream that was ever committed or sent."""
        self.acked: dict[str, tuple[int, int, str]] = {}
        """How far it said that it has the hub's streams."""
        self.model = Model()
        self.here: set[str] = set()
        self.frozen: dict[tuple[str, int], tuple[Any, ...]] = {}
        self.put: dict[str, str] = {}
        """What people asked of it and the spool took: the word that identifies it, by command."""
        self._read: dict[str, int] = dict.fromkeys((*HUB_STREAMS, OWN), 0)
        self._waiting: dict[str, list[int]] = {name: [] for name in HUB_STREAMS}
        self._db_version: tuple[object, int] = (None, 0)
        self._shown: set[str] = set()

    def cloned(self, box: Box) -> "AtBox":
        """Of a copy of its disk: the same is known of it."""
        other = AtBox(self.oracle, box)
        for name in ("own", "acked", "model", "here", "frozen", "put", "_read", "_waiting", "_shown"):
            setattr(other, name, deepcopy(getattr(self, name)))
        return other

    def look(self) -> None:
        """Everything that may have changed."""
        if self.box.agent is None:
            return
        db = self.box.db.conn
        version = (db, db.total_changes)
        if version != self._db_version:
            self._db_version = version
            if not self.oracle.twins:
                self._check_own_stream(db)
            self._check_prefixes(db)
            self._check_effects(db)
            self.check_what_always_holds()
        if not self.oracle.twins:
            self._check_served()
            self._check_needed_assets(db)

    def check_what_always_holds(self) -> None:
        """Also while two histories grow together."""
        if self.box.agent is not None:
            self._check_cursors(self.box.db.conn)
            self._check_ledger(self.box.db.conn)

    def say_own(self, place: tuple[int, int], digest: str) -> None:
        """Own sequence numbers are never used again with other bytes."""
        if not self.oracle.is_one_history:
            return
        if self.own.setdefault(place, digest) != digest:
            raise Violation(f"own stream: {place} was {self.own[place][:8]} and is {digest[:8]}")

    def _check_own_stream(self, db: Any) -> None:
        """What the box committed to say stays said."""
        rows = db.execute(
            "SELECT epoch, seq, hash, kind, key, body, header FROM journal WHERE stream = ? ORDER BY epoch, seq", (OWN,)
        ).fetchall()
        committed = {(epoch, seq): digest for epoch, seq, digest, *_rest in rows}
        for place, digest in committed.items():
            self.say_own(place, digest)
            self.oracle.written.setdefault(digest, set()).add(self.box.machine)
        for place, digest in self.own.items():
            if committed.get(place) != digest:
                raise Violation(f"the box lost its own record {place}")
        for _epoch, _seq, digest, kind, key, body, header in rows[self._read[OWN] :]:
            self.model.fold(origin_of(header, digest), kind, key, body)
        self._read[OWN] = len(rows)
        said = Counter((kind, key) for _e, _s, _d, kind, key, *_rest in rows if kind in ("submission", "tip"))
        twice = [each for each, count in said.items() if count > 1]
        if twice:
            raise Violation(f"said twice: {twice}")

    def _check_prefixes(self, db: Any) -> None:
        """What the box applied of a stream is the beginning of what the hub signed, and what it acknowledged it has."""
        for name in HUB_STREAMS:
            rows = db.execute(
                "SELECT hash, kind, key, body, state, header, epoch, seq FROM journal"
                " WHERE stream = ? ORDER BY epoch, seq",
                (name,),
            ).fetchall()
            for _hash, _kind, key, body, _state, header, _epoch, _seq in rows[self._read[name] :]:
                if not is_named(header, body):
                    raise Violation(f"the box has other words of {name} {key} than the hub wrote")
            hashes = [row[0] for row in rows]
            if hashes != self.oracle.signed[name][: len(hashes)]:
                raise Violation(f"the box has of {name} what the hub did not sign, or not in its order")
            waiting = [*self._waiting[name], *range(self._read[name], len(rows))]
            for number in waiting:
                digest, kind, key, body, state, header, _epoch, _seq = rows[number]
                if state == "applied":
                    self.model.fold(origin_of(header, digest), kind, key, body)
            # What is held or parked has its effect later.
            self._waiting[name] = [number for number in waiting if rows[number][4] != "applied"]
            self._read[name] = len(rows)
            epoch, seq, head = self.acked.get(name, (1, 0, ""))
            if seq and head not in hashes:
                raise Violation(f"the box acknowledged {name} {epoch}:{seq} and does not have it")

    def _check_cursors(self, db: Any) -> None:
        """A cursor stands behind the last record that is kept, never elsewhere."""
        for name, epoch, seq, head in db.execute("SELECT stream, epoch, seq, head FROM cursors").fetchall():
            kept = db.execute(
                "SELECT epoch, seq, hash FROM journal WHERE stream = ? ORDER BY epoch DESC, seq DESC LIMIT 1", (name,)
            ).fetchone()
            if (epoch, seq, head) != (kept or (1, 0, "0" * 64)) and seq:
                raise Violation(f"the cursor of {name} stands at {epoch}:{seq}, the last record kept is {kept}")

    def _check_effects(self, db: Any) -> None:
        """A record that counts as applied has its effect; an effect has its record."""
        for problem, sql in EFFECTS.items():
            found = db.execute(sql).fetchone()
            if found is not None:
                raise Violation(f"{problem}: {found[0]}")

    def _check_ledger(self, db: Any) -> None:
        """What is frozen of the air ledger never changes."""
        for row in db.execute(
            "SELECT channel, ledger.first_msn, start_tick, rendition, first_segment, kind, segments, frames FROM ledger"
            " JOIN channels ON channels.id = channel WHERE start_tick + frames * 3600 <= frozen_tick"
        ):
            if self.frozen.setdefault(row[:2], row) != row:
                raise Violation(f"the ledger changed behind the air: {self.frozen[row[:2]]} is {row}")

    def _check_served(self) -> None:
        """Only what a record vouches for is served; what was recalled is gone in the turn in which that was applied."""
        names = {f"sha256:{entry.name}" for entry in os.scandir(self.box.config.public)}
        # What was given back goes in the next turn: the command was carried out at the end of this one.
        wrong = names - self.model.digests() - self.model.digests_of(self._shown)
        self._shown = set(self.model.shown())
        if wrong:
            raise Violation(f"served, and nothing vouches for it: {sorted(wrong)}")

    def _check_needed_assets(self, db: Any) -> None:
        """What was noted as here and is still shown is still here."""
        media, wanted = self.box.config.media, self.model.digests()
        for digest in self.here & wanted:
            name = digest[7:]
            path = media / name[:2] / name
            if str(path) not in self.oracle.flipped and not path.is_file():
                raise Violation(f"the box let go of {digest}, which it shows")
        # Where a disk fails between the name and the note, the name may be gone after a power cut.
        noted = {digest for (digest,) in db.execute("SELECT digest FROM assets WHERE state = 'here'")}
        self.here = {digest for digest in wanted & noted if (media / digest[7:9] / digest[7:]).is_file()}


class Ack(msgspec.Struct):
    """What the oracle reads of an acknowledgement."""

    t: str
    stream: str
    epoch: int
    seq: int
    head: str


EFFECTS = {
    "an order was applied and is not there": "SELECT key FROM journal WHERE kind = 'order' AND state = 'applied'"
    " AND body IS NOT NULL AND key NOT IN (SELECT id FROM orders)",
    "an order is there without its record": "SELECT id FROM orders WHERE id NOT IN"
    " (SELECT key FROM journal WHERE kind = 'order' AND state = 'applied')",
    "a recall was applied and left no tombstone": "SELECT key FROM journal WHERE kind = 'recall'"
    " AND state = 'applied' AND key NOT IN (SELECT target FROM tombstones)",
    # Where the last version was redacted the item is gone: an older one does not come back.
    "an item was applied and is not there": "SELECT key FROM journal AS it WHERE kind IN ('item', 'offer')"
    " AND state = 'applied' AND body IS NOT NULL AND key NOT IN (SELECT id FROM items)"
    " AND key NOT IN (SELECT target FROM tombstones) AND NOT EXISTS (SELECT 1 FROM journal AS later"
    " WHERE later.stream = it.stream AND later.kind = it.kind AND later.key = it.key AND later.body IS NULL"
    " AND (later.epoch, later.seq) > (it.epoch, it.seq))",
    "an item is there without its record": "SELECT id FROM items WHERE id NOT IN"
    " (SELECT key FROM journal WHERE kind IN ('item', 'offer') AND state = 'applied')",
    "a tombstone is there without its record": "SELECT target FROM tombstones WHERE target NOT LIKE 'sha256:%'"
    " AND target NOT IN (SELECT key FROM journal WHERE kind = 'recall' AND state = 'applied')",
    "a submission is there without its record": "SELECT id FROM submissions WHERE id NOT IN"
    " (SELECT key FROM journal WHERE kind = 'submission' UNION SELECT key FROM outbox"
    " UNION SELECT json_extract(CAST(header AS TEXT), '$.key') FROM lost)",
    "a record was parked": "SELECT key || ' ' || reason FROM journal WHERE state = 'parked'",
}
