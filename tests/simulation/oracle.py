"""What must hold, kept as plain dicts beside the simulation and looked at after every step.

Each `_check_…` is one of the invariants that docs/architecture.md lists under "What the simulator holds"; those of a
box are in `at_box.py`, those of two machines with one key in `twins.py`, those of a side that comes back from an
earlier copy in `histories.py`.
"""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec

from appliance.core.journal import Record
from appliance.store.database import reading
from provisioning.hub.journals import HubJournals
from provisioning.hub.stream import Place, Stream
from tests.simulation.at_box import HUB_STREAMS, OWN, Ack, AtBox
from tests.simulation.forging import is_named
from tests.simulation.histories import Histories
from tests.simulation.model import Model, Violation
from tests.simulation.pair import Pair
from tests.simulation.sides import SITE, Box
from tests.simulation.twins import Twins
from tests.simulation.words import WORD, left_of


class Oracle:
    """Watches one pair."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self.signed: dict[str, list[str]] = {name: [] for name in (*HUB_STREAMS, OWN)}
        """What each stream at the hub vouches for, as hashes in order."""
        self.written: dict[str, set[str]] = {}
        """Every record of the site's own stream that was ever committed or sent, with the machines that had it."""
        self.acked_by_hub: tuple[int, int, str] | None = None
        self.at_hub = Model()
        self.flipped: set[str] = set()
        """Names of files whose bytes the simulation has turned."""
        self.at_boxes = {pair.box.machine: AtBox(self, pair.box)}
        self._places: dict[str, Place] = {}
        self._sure: dict[str, tuple[int, int]] = {}
        """Places that the hub reached without a fault. What a call that failed left may go with the power."""
        self._faults = 0
        self._marks: dict[str, bytes] = {}
        self._known: dict[str, tuple[int, int, int]] = {}
        self._told: Counter[str] = Counter()
        self._words: dict[str, set[bytes]] = {}
        """By what a record is, or stands for: what stands nowhere else."""
        self.redacted: dict[str, str] = {}
        """By the hash of the record that orders it: what the record is, or stands for, whose body had to go."""
        self.asked: set[str] = set()
        """Such records, also where the command was broken off."""
        self._recalled = ""
        """What the hub's people were just told is recalled."""
        self.histories: Histories | None = None
        self.twins: Twins | None = None
        pair.watchers.append(self._hear)

    @property
    def is_one_history(self) -> bool:
        """Whether each stream has had one writer, and nobody came back from an earlier copy."""
        return self.histories is None and self.twins is None

    def at(self, box: Box) -> AtBox:
        return self.at_boxes[box.machine]

    def comes_back(self, *, hub: bool) -> None:
        """The hub, or else the box, is about to be set back to an earlier copy of itself."""
        if self.histories is None:
            self.histories = Histories(self.pair)
        self.histories.begin_anew(hub=hub)
        if not hub:
            self.at(self.pair.box).frozen.clear()

    def note_written(self, box: Box) -> None:
        """What a box has committed of its stream may come to the hub by any way."""
        with reading(box.config.database) as db:
            for (digest,) in db.conn.execute("SELECT hash FROM journal WHERE stream = ?", (OWN,)):
                self.written.setdefault(digest, set()).add(box.machine)

    def was_recalled(self, target: str) -> None:
        """The hub said that it is."""
        self._recalled = target

    def was_cloned(self, box: Box) -> None:
        """A copy of the box's disk was put into another machine, with the bits that had turned on it."""
        first, second = (f"{each.config.home}/" for each in (self.pair.box, box))
        self.flipped |= {path.replace(first, second, 1) for path in self.flipped if path.startswith(first)}
        self.at_boxes[box.machine] = self.at(self.pair.box).cloned(box)
        for machines in self.written.values():
            machines.add(box.machine)
        self.twins = Twins(self.pair, self.written)

    def look(self) -> None:
        """Check everything that may have changed."""
        if self.histories is None:
            self._check_hub_streams()
        self._check_names_are_true()
        self._check_recalled()
        if self.histories is not None:
            self.histories.note()
            for at_box in self.at_boxes.values():
                at_box.check_what_always_holds()
            return
        if self.twins:
            self.twins.look()
        for at_box in self.at_boxes.values():
            at_box.look()
        self._check_kept_by_hub()

    def words_left(self) -> Iterator[str]:
        """What was redacted and still stands somewhere, when all is quiet.

        A box that holds a redaction back, since the hub's clock is wrong, has the words, and tells them in its status.
        """
        held = {
            key
            for box in self.pair.boxes
            for (key,) in box.db.conn.execute("SELECT key FROM journal WHERE kind = 'redact' AND state = 'held'")
        }
        gone = (origin for origin, key in self.at_hub.redacted.items() if key not in held)
        words = set[bytes]().union(*(self._words.get(origin, set()) for origin in gone))
        homes = [box.config.home for box in self.pair.boxes]
        return left_of(words, self.pair.hub.folder, (*HUB_STREAMS, OWN), homes)

    def _hear(self, box: Box, way: str, line: bytes) -> None:
        if line.startswith(b'{"t":"ack"'):
            ack = msgspec.json.decode(line, type=Ack)
            acked = self.at(box).acked
            said = (ack.epoch, ack.seq, ack.head)
            if way == "up":
                acked[ack.stream] = max(said, acked.get(ack.stream, said))
            elif self.is_one_history:
                self.acked_by_hub = max(said, self.acked_by_hub or said)
        elif way == "up" and line.startswith(b'{"t":"records"'):
            for header, _body in json.loads(line)["records"]:
                place, digest = json.loads(header), hashlib.sha256(header.encode()).hexdigest()
                self.written.setdefault(digest, set()).add(box.machine)
                self.at(box).say_own((place["epoch"], place["seq"]), digest)

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
                self._check_acknowledged(name, covered.place)
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
            _epoch, seq, head = self.acked_by_hub
            if seq and head not in self.signed[OWN]:
                raise Violation(f"the hub acknowledged {OWN} {seq} and does not have it")

    def _check_acknowledged(self, name: str, place: tuple[int, int]) -> None:
        """Nothing that the other side was told of is lost, whatever failed."""
        told = [self.acked_by_hub] if name == OWN else [each.acked.get(name) for each in self.at_boxes.values()]
        for acked in told:
            if acked is not None and acked[:2] > place:
                raise Violation(f"{name} {acked[:2]} was acknowledged, and the hub has {place}")

    def _has_changed(self, stream: Stream) -> bool:
        try:
            mark = max(path for path in stream.folder.iterdir() if path.suffix == ".checkpoint").read_bytes()
        except (ValueError, FileNotFoundError):
            if self._sure.get(stream.name, (1, 0)) > (1, 0):
                raise Violation(f"the hub lost the checkpoint of {stream.name}") from None
            if self.signed[stream.name]:
                self._check_acknowledged(stream.name, (1, 0))
                self.comes_back(hub=True)
            return False
        changed = self._marks.get(stream.name) != mark
        self._marks[stream.name] = mark
        return changed

    def _take_in(self, name: str, record: Record) -> None:
        header = record.header
        if not is_named(record.header_bytes, record.body):
            raise Violation(f"the hub has other words than {name} {header.seq} names")
        self.signed[name].append(record.hash)
        origin = header.again or record.hash
        self._words[origin] = set(WORD.findall(record.body or b"")) or self._words.get(origin, set())
        self.at_hub.fold(origin, header.kind, header.key, record.body)
        if name == OWN:
            if record.hash not in self.written:
                raise Violation(f"the hub accepted {OWN} {header.seq}, which the box never wrote")
            if self.twins:
                self.twins.accepted(record)
        elif header.kind == "receipt":
            self._told[header.key] += 1
            if self._told[header.key] > 1:
                raise Violation(f"two receipts for {header.key}")

    def _check_names_are_true(self) -> None:
        """Nothing half or wrong has a final name, at a box or at the hub."""
        hub = self.pair.hub.folder
        own = hub.site(SITE)
        boxes = [box.config for box in self.pair.boxes]
        for folder in (*(box.public for box in boxes), own.readable, own.uploaded):
            self._check_folder(folder)
        for pile in (*(box.media for box in boxes), hub.assets):
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

    def _check_recalled(self) -> None:
        """What somebody recalled does not stand any more, whatever time the clocks tell."""
        target, self._recalled = self._recalled, ""
        if self.histories is None and target in self.at_hub.live():
            raise Violation(f"{target} was recalled, and stands")

    def _check_kept_by_hub(self) -> None:
        """The hub has what it publishes, and the site may fetch what it is told of."""
        pile, readable = self.pair.hub.folder.assets, self.pair.hub.folder.site(SITE).readable
        for digest in self.at_hub.kept_by_hub():
            if not (pile / digest[7:9] / digest[7:]).is_file():
                raise Violation(f"the hub let go of {digest}, which it publishes")
        for digest in self.at_hub.digests():
            if not (readable / digest[7:]).is_file():
                raise Violation(f"the hub told of {digest}, and the site may not fetch it")
