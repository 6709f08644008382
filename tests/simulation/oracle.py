"""What must hold, kept as plain dicts beside the simulation and looked at after every step.

Each `_check_…` is one of the invariants that docs/architecture.md lists under "What the simulator holds".
"""

import hashlib
import json
import os
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from appliance.core import wire
from appliance.core.journal import Record
from provisioning.hub.journals import HubJournals
from provisioning.hub.stream import Place, Stream
from tests.simulation.histories import Histories
from tests.simulation.pair import Pair
from tests.simulation.sides import SITE

OWN = wire.stream_of_site(SITE)
HUB_STREAMS = wire.streams_of_hub(SITE)


EVER = datetime.min.replace(tzinfo=UTC)


class Violation(AssertionError):
    """An invariant does not hold."""


class Ack(msgspec.Struct):
    """What the oracle reads of an acknowledgement."""

    t: str
    stream: str
    epoch: int
    seq: int
    head: str


class Model:
    """What the records say, folded by the oracle's own rules: items, recalls, takes."""

    def __init__(self) -> None:
        self.items: dict[str, dict[str, Any]] = {}
        self.offers: dict[str, dict[str, Any]] = {}
        self.recalled: dict[str, datetime] = {}
        self.taken: set[str] = set()

    def fold(self, kind: str, key: str, body: bytes) -> None:
        match kind:
            case "item":
                self.items[key] = json.loads(body)
            case "offer":
                self.offers[key] = json.loads(body)
            case "recall":
                said = json.loads(body)
                self.recalled[said["target"]] = max(_at(said["at"]), self.recalled.get(said["target"], EVER))
            case "take":
                self.taken.add(key)
            case "untake":
                self.taken.discard(key)

    def is_live(self, item: dict[str, Any]) -> bool:
        at = self.recalled.get(item["id"])
        return at is None or _at(item["created_at"]) > at

    def shown(self) -> dict[str, dict[str, Any]]:
        """Items that this site shows: published to it, or offered and taken."""
        taken = {key: offer for key, offer in self.offers.items() if key in self.taken}
        return {key: item for key, item in {**taken, **self.items}.items() if self.is_live(item)}

    def digests(self) -> set[str]:
        """What this site may show: an item without one of its assets goes on without it."""
        return self.digests_of(set(self.shown()))

    def digests_of(self, names: set[str]) -> set[str]:
        """The assets of these items, as far as neither is recalled."""
        known = {**self.offers, **self.items}
        live = [known[name] for name in names if self.is_live(known[name])]
        return {asset["digest"] for item in live for asset in item.get("assets", ())} - self.recalled.keys()

    def kept_by_hub(self) -> set[str]:
        """Digests of every item and offer that is live."""
        every = [*self.items.values(), *self.offers.values()]
        kept = [[asset["digest"] for asset in item.get("assets", ())] for item in every if self.is_live(item)]
        return {digest for digests in kept if self.recalled.keys().isdisjoint(digests) for digest in digests}


class Oracle:
    """Watches one pair."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self.signed: dict[str, list[str]] = {name: [] for name in (*HUB_STREAMS, OWN)}
        """What each stream at the hub vouches for, as hashes in order."""
        self.own: dict[tuple[int, int], str] = {}
        """Every record of the box's own stream that was ever committed or sent."""
        self.acked_by_box: dict[str, tuple[int, str]] = {}
        self.acked_by_hub: tuple[int, str] | None = None
        self.at_hub, self.at_box = Model(), Model()
        self.flipped: set[str] = set()
        """Names of files whose bytes the simulation has turned."""
        self.here: set[str] = set()
        self.frozen: dict[tuple[str, int], tuple[Any, ...]] = {}
        self.put: dict[str, str] = {}
        """What people asked of the box and the spool took: the word that identifies it, by command."""
        self._places: dict[str, Place] = {}
        self._sure: dict[str, tuple[int, int]] = {}
        """Places that the hub reached without a fault. What a call that failed left may go with the power."""
        self._faults = 0
        self._marks: dict[str, bytes] = {}
        self._read: dict[str, int] = dict.fromkeys((*HUB_STREAMS, OWN), 0)
        self._waiting: dict[str, list[int]] = {name: [] for name in HUB_STREAMS}
        self._known: dict[str, tuple[int, int, int]] = {}
        self._db_version: tuple[object, int] = (None, 0)
        self._told: Counter[str] = Counter()
        self._shown: set[str] = set()
        self.histories: Histories | None = None
        pair.watchers.append(self._hear)

    def comes_back(self, *, hub: bool) -> None:
        """The hub, or else the box, is about to be set back to an earlier copy of itself."""
        if self.histories is None:
            self.histories = Histories(self.pair)
        self.histories.begin_anew(hub=hub)
        if not hub:
            self.frozen.clear()

    def look(self) -> None:
        """Check everything that may have changed."""
        if self.histories is not None:
            self._check_names_are_true()
            self.histories.note()
            if self.pair.box.agent is not None:
                self._check_cursors(self.pair.box.db.conn)
                self._check_ledger(self.pair.box.db.conn)
            return
        self._check_hub_streams()
        self._check_names_are_true()
        if self.pair.box.agent is not None:
            self._look_into_box()

    def _look_into_box(self) -> None:
        db = self.pair.box.db.conn
        version = (db, db.total_changes)
        if version != self._db_version:
            self._db_version = version
            self._check_own_stream(db)
            self._check_prefixes(db)
            self._check_cursors(db)
            self._check_effects(db)
            self._check_ledger(db)
        self._check_served()
        self._check_needed_assets()

    def _hear(self, way: str, line: bytes) -> None:
        if line.startswith(b'{"t":"ack"'):
            ack = msgspec.json.decode(line, type=Ack)
            if way == "up":
                self.acked_by_box[ack.stream] = max((ack.seq, ack.head), self.acked_by_box.get(ack.stream, (0, "")))
            else:
                self.acked_by_hub = max((ack.seq, ack.head), self.acked_by_hub or (0, ""))
        elif way == "up" and line.startswith(b'{"t":"records"'):
            for header, _body in json.loads(line)["records"]:
                said = json.loads(header)
                self._say_own((said["epoch"], said["seq"]), hashlib.sha256(header.encode()).hexdigest())

    def _say_own(self, place: tuple[int, int], digest: str) -> None:
        """Own sequence numbers are never used again with other bytes."""
        if self.histories is None and self.own.setdefault(place, digest) != digest:
            raise Violation(f"own stream: {place} was {self.own[place][:8]} and is {digest[:8]}")

    def _check_hub_streams(self) -> None:
        """What a stream at the hub has vouched for stays, and grows at its end."""
        journals = HubJournals(self.pair.hub.folder)
        for name in (*HUB_STREAMS, OWN):
            stream = journals.stream(name)
            has_changed = self._has_changed(stream)
            if self.histories is not None:
                return
            if not has_changed:
                continue
            place = self._places.get(name) or stream.start()
            covered = stream.position()
            if covered.place < place.position.place:
                if covered.place < self._sure.get(name, (1, 0)):
                    raise Violation(f"the hub lost {name} {place.position.place}, it has {covered.place}")
                self._check_acknowledged(name, covered.seq)
                self.comes_back(hub=True)
                return
            while page := stream.page(place):
                for record, place in page:  # noqa: B007
                    self._take_in(name, record)
            if place.position != covered:
                raise Violation(f"{name} vouches for {covered.place} and has records up to {place.position.place}")
            self._places[name] = place
            if self.pair.hub.volume.faults == self._faults:
                self._sure[name] = covered.place
        self._faults = self.pair.hub.volume.faults
        if self.acked_by_hub is not None:
            seq, head = self.acked_by_hub
            if len(self.signed[OWN]) < seq or self.signed[OWN][seq - 1] != head:
                raise Violation(f"the hub acknowledged {OWN} {seq} and does not have it")

    def _check_acknowledged(self, name: str, seq: int) -> None:
        """Nothing that the other side was told of is lost, whatever failed."""
        acked = self.acked_by_hub if name == OWN else self.acked_by_box.get(name)
        if acked is not None and acked[0] > seq:
            raise Violation(f"{name} {acked[0]} was acknowledged, and the hub has {seq}")

    def _has_changed(self, stream: Stream) -> bool:
        try:
            mark = max(path for path in stream.folder.iterdir() if path.suffix == ".checkpoint").read_bytes()
        except (ValueError, FileNotFoundError):
            if self._sure.get(stream.name, (1, 0)) > (1, 0):
                raise Violation(f"the hub lost the checkpoint of {stream.name}") from None
            if self.signed[stream.name]:
                self._check_acknowledged(stream.name, 0)
                self.comes_back(hub=True)
            return False
        changed = self._marks.get(stream.name) != mark
        self._marks[stream.name] = mark
        return changed

    def _take_in(self, name: str, record: Record) -> None:
        header = record.header
        self.signed[name].append(record.hash)
        self.at_hub.fold(header.kind, header.key, record.body or b"")
        if name == OWN:
            if self.own.get((header.epoch, header.seq)) != record.hash:
                raise Violation(f"the hub accepted {OWN} {header.seq}, which the box never wrote")
        elif header.kind == "receipt":
            self._told[header.key] += 1
            if self._told[header.key] > 1:
                raise Violation(f"two receipts for {header.key}")

    def _check_own_stream(self, db: Any) -> None:
        """What the box committed to say stays said."""
        rows = db.execute(
            "SELECT epoch, seq, hash, kind, key, body FROM journal WHERE stream = ? ORDER BY epoch, seq", (OWN,)
        ).fetchall()
        committed = {(epoch, seq): digest for epoch, seq, digest, *_rest in rows}
        for place, digest in committed.items():
            self._say_own(place, digest)
        for place, digest in self.own.items():
            if committed.get(place) != digest:
                raise Violation(f"the box lost its own record {place}")
        for _epoch, _seq, _digest, kind, key, body in rows[self._read[OWN] :]:
            self.at_box.fold(kind, key, body)
        self._read[OWN] = len(rows)
        said = Counter((kind, key) for _e, _s, _d, kind, key, _b in rows if kind in ("submission", "tip"))
        twice = [each for each, count in said.items() if count > 1]
        if twice:
            raise Violation(f"said twice: {twice}")

    def _check_prefixes(self, db: Any) -> None:
        """What the box applied of a stream is the beginning of what the hub signed, and what it acknowledged it has."""
        for name in HUB_STREAMS:
            rows = db.execute(
                "SELECT hash, kind, key, body, state FROM journal WHERE stream = ? ORDER BY epoch, seq", (name,)
            ).fetchall()
            hashes = [row[0] for row in rows]
            if hashes != self.signed[name][: len(hashes)]:
                raise Violation(f"the box has of {name} what the hub did not sign, or not in its order")
            waiting = [*self._waiting[name], *range(self._read[name], len(rows))]
            for number in waiting:
                _digest, kind, key, body, state = rows[number]
                if state == "applied":
                    self.at_box.fold(kind, key, body)
            # What is held or parked has its effect later.
            self._waiting[name] = [number for number in waiting if rows[number][4] != "applied"]
            self._read[name] = len(rows)
            seq, head = self.acked_by_box.get(name, (0, ""))
            if seq and (len(hashes) < seq or hashes[seq - 1] != head):
                raise Violation(f"the box acknowledged {name} {seq} and does not have it")

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
        for problem, sql in _EFFECTS.items():
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

    def _check_names_are_true(self) -> None:
        """Nothing half or wrong has a final name, at the box or at the hub."""
        hub, box = self.pair.hub.folder, self.pair.box.config
        own = hub.site(SITE)
        for folder in (box.public, own.readable, own.uploaded):
            self._check_folder(folder)
        for pile in (box.media, hub.assets):
            for entry in os.scandir(pile):
                if len(entry.name) == 2:
                    self._check_folder(entry.path)

    def _check_folder(self, folder: str | Path) -> None:
        for entry in os.scandir(folder):
            if len(entry.name) != 64 or entry.path in self.flipped:
                continue
            facts = entry.stat(follow_symlinks=False)
            seen = (facts.st_ino, facts.st_mtime_ns, facts.st_size)
            if self._known.get(entry.path) != seen:
                self._known[entry.path] = seen
                with open(entry.path, "rb") as file:
                    digest = hashlib.sha256(file.read()).hexdigest()
                if digest != entry.name:
                    raise Violation(f"{entry.path} is not what it is called")

    def _check_served(self) -> None:
        """Only what a record vouches for is served; what was recalled is gone in the turn in which that was applied."""
        box = self.pair.box
        names = {f"sha256:{entry.name}" for entry in os.scandir(box.config.public)}
        # What was given back goes in the next turn: the command was carried out at the end of this one.
        wrong = names - self.at_box.digests() - self.at_box.digests_of(self._shown)
        self._shown = set(self.at_box.shown())
        if wrong:
            raise Violation(f"served, and nothing vouches for it: {sorted(wrong)}")

    def _check_needed_assets(self) -> None:
        """What was here and is still shown is still here; the hub has what it publishes."""
        media, pile = self.pair.box.config.media, self.pair.hub.folder.assets
        wanted = self.at_box.digests()
        for digest in self.here & wanted:
            name = digest[7:]
            path = media / name[:2] / name
            if str(path) not in self.flipped and not path.is_file():
                raise Violation(f"the box let go of {digest}, which it shows")
        self.here = {digest for digest in wanted if (media / digest[7:9] / digest[7:]).is_file()}
        for digest in self.at_hub.kept_by_hub():
            if not (pile / digest[7:9] / digest[7:]).is_file():
                raise Violation(f"the hub let go of {digest}, which it publishes")


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)


_EFFECTS = {
    "an order was applied and is not there": "SELECT key FROM journal WHERE kind = 'order' AND state = 'applied'"
    " AND key NOT IN (SELECT id FROM orders)",
    "an order is there without its record": "SELECT id FROM orders WHERE id NOT IN"
    " (SELECT key FROM journal WHERE kind = 'order' AND state = 'applied')",
    "a recall was applied and left no tombstone": "SELECT key FROM journal WHERE kind = 'recall'"
    " AND state = 'applied' AND key NOT IN (SELECT target FROM tombstones)",
    "an item was applied and is not there": "SELECT key FROM journal WHERE kind IN ('item', 'offer')"
    " AND state = 'applied' AND key NOT IN (SELECT id FROM items) AND key NOT IN (SELECT target FROM tombstones)",
    "an item is there without its record": "SELECT id FROM items WHERE id NOT IN"
    " (SELECT key FROM journal WHERE kind IN ('item', 'offer') AND state = 'applied')",
    "a tombstone is there without its record": "SELECT target FROM tombstones WHERE target NOT LIKE 'sha256:%'"
    " AND target NOT IN (SELECT key FROM journal WHERE kind = 'recall' AND state = 'applied')",
    "a submission is there without its record": "SELECT id FROM submissions WHERE id NOT IN"
    " (SELECT key FROM journal WHERE kind = 'submission' UNION SELECT key FROM outbox)",
    "a record was parked": "SELECT key || ' ' || reason FROM journal WHERE state = 'parked'",
}
