"""What a stick takes to a box: its four streams behind what it has; the assets that it lacks, the most urgent first.

What the box has it says itself: by the note on the stick, or by its status over the line, whichever is newer. Nothing
of the hub is changed, and killed at any moment and done again it goes on where it was.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from appliance import loading
from appliance import stick as sticks
from appliance.core import carry, journal, moment, wire
from appliance.core.carry import Label, Load, Note
from appliance.core.errors import Refused, Text
from appliance.loading import Loaded
from appliance.progress import ProgressLine
from appliance.stick import FOLDERS, NOTE, Stick
from provisioning.hub import acknowledged, keys, shutting_out, snapshots
from provisioning.hub.catalogue import Catalogue
from provisioning.hub.folder import HubFolder, is_site_id
from provisioning.hub.intake import Intake
from provisioning.hub.journals import HubJournals, streams_of
from provisioning.hub.library import Library
from provisioning.hub.rekeying import keys_of
from provisioning.hub.sites import Site, site_of
from provisioning.hub.stream import Place, Stream
from provisioning.hub.urgency import note_needs


@dataclass
class Exported:
    """What is on the stick now, for people and programs."""

    site: str
    stick: str
    records: dict[str, int] = field(default_factory=dict)
    """By stream."""
    loaded: Loaded = field(default_factory=Loaded)
    problems: list[Text] = field(default_factory=list)


def export(folder: HubFolder, site: str, stick: Stick, label: Label, *, everything: bool = False) -> Exported:
    """Put it on a labelled stick, as far as there is room; with `everything` whatever the box says that it has.

    Raises Refused for a site that may not be spoken with, WorldError when the stick is gone.
    """
    known, journals = joined(folder, site), HubJournals(folder)
    shutting_out.write_to(folder, stick)
    Intake(folder, site, journals).set_right()
    at_us = folder.now_us()
    word = Word() if everything else word_of_box(folder, known, stick, label)
    count_as_heard(folder, site, word)
    _check_trust(folder, site, word_of_box(folder, known, stick, label))
    done = Exported(site, label.id)
    named: dict[str, int | None] = {}
    catalogue = Catalogue().read(journals, (site,))
    for stream in streams_of(site):
        kept, head = journals.stream(stream), _signed_head(journals, stream, at_us)
        told = _Behind.of(kept, word.note.have if word.note else {})
        for record in (told or _Behind.of(kept, {}) or _Behind(kept.start())).records(kept, head.position):
            note_needs(record, named, known, catalogue, at_us)
        has = _Behind.of(kept, word.have)
        if has is None:
            # Our head tells the box so, and its judge draws the conclusion.
            done.problems.append(
                Text(f"{stream}：节点所持位置不在本流中", f"{stream}: the box stands where this stream never was")
            )
        done.records[stream] = _write(journals, stick, stream, has, head, at_us)
    wants, holds = (word.note.wants, word.note.holds) if word.note else ((), ())
    done.loaded = _carry_assets(folder, site, stick, label, carry.most_urgent_first(wants, named, holds))
    return done


def _check_trust(folder: HubFolder, site: str, word: "Word") -> None:
    """What the key that signs now signs is worth nothing to a box that trusts the one before."""
    heard = acknowledged.of_site(folder, site)
    said = {word.note.trusts if word.note else "", heard.trusts if heard else ""} - {""}
    # Of two words the older may name the former key: whoever said the newest once has it.
    if said and keys.current_key(folder) not in said:
        raise Refused(
            Text(f"{site} 还不认新的签名密钥", f"{site} does not know the key that signs now"),
            hint=Text("该县须先联一次线", "the county needs the line once"),
        )


def joined(folder: HubFolder, site: str) -> Site:
    """The site, if it is one that may be spoken with; Refused otherwise."""
    if not is_site_id(site):
        raise Refused(Text(f"没有县级中心 {site[:40]}", f"there is no site {site[:40]}"))
    known = site_of(folder, site)
    if known.state != "approved" or known.sign_key is None:
        raise Refused(
            Text(f"{site} 未获批准", f"{site} is not approved"),
            hint=Text(f"songshan-hub approve {site}", f"songshan-hub approve {site}"),
        )
    return known


@dataclass(frozen=True)
class Word:
    """What is known of the box: how far it has the streams, and what it said on the stick of its assets."""

    have: dict[str, wire.Head] = field(default_factory=dict)
    note: Note | None = None


def word_of_box(folder: HubFolder, known: Site, stick: Stick, label: Label) -> Word:
    """The newest that the box has said: on this stick, or by its status over the line. Nothing where it never did."""
    assert known.sign_key is not None, "it has joined"
    data = stick.read((FOLDERS["box"], NOTE), carry.NOTE_BYTES_MAX)
    note = None
    if data is not None:
        with suppress(Refused):
            note = carry.parse_note(data, label, "box", keys_of(known))
    heard = acknowledged.of_site(folder, known.site)
    if heard is None or (note is not None and moment.to_us(note.at) >= moment.to_us(heard.heard_at)):
        return Word(note.have if note else {}, note)
    return Word({stream: wire.head_of(position) for stream, position in heard.streams.items()}, note)


def count_as_heard(folder: HubFolder, site: str, word: Word) -> None:
    """A box that is heard by a stick holds compaction up like any other, where the stick has its newest word."""
    if word.note is not None and word.have == word.note.have:
        heads = {stream: head for stream, head in word.have.items() if stream in streams_of(site)}
        acknowledged.note(folder, site, [wire.position_of(stream, head) for stream, head in heads.items()])


@dataclass(frozen=True)
class _Behind:
    """What lies behind a place of a stream: the records behind `place`, and before them a snapshot where it is better,
    or all that is left."""

    place: Place
    snapshot: snapshots.Kept | None = None

    @classmethod
    def of(cls, stream: Stream, have: dict[str, wire.Head]) -> "_Behind | None":
        """Behind what is had; behind nothing where that is not known, None where the stream never stood."""
        head = have.get(stream.name)
        position = journal.genesis(stream.name) if head is None else wire.position_of(stream.name, head)
        snapshot = snapshots.snapshot_for(stream, position)
        if snapshot is not None:
            return cls(snapshot.place, snapshot)
        place = stream.find(position)
        return cls(place) if place is not None else None

    def records(self, stream: Stream, until: journal.Position) -> Iterator[journal.Record]:
        """All of them, up to a position."""
        if self.snapshot is not None:
            yield from snapshots.records(stream, self.snapshot)
        yield from _records(stream, self.place, until)


def _write(
    journals: HubJournals, stick: Stick, stream: str, has: _Behind | None, head: journal.Checkpoint, at_us: int
) -> int:
    """One stream: a snapshot, pages, its head. How many records."""
    kept, besides, count = journals.stream(stream), set[str](), 0
    if has is not None and has.snapshot is not None:
        count = has.snapshot.statement.records
        parts = carry.batches(snapshots.records(kept, has.snapshot))
        besides = sticks.write_snapshot(stick, stream, has.snapshot.statement, parts)
    new = _records(kept, has.place, head.position) if has is not None else iter(())
    pages = ((page, _vouched(journals, page[-1], at_us)) for page in carry.batches(new))
    return count + sticks.write_pages(stick, "hub", stream, pages, head, besides)


def _signed_head(journals: HubJournals, stream: str, at_us: int) -> journal.Checkpoint:
    """Where the stream stands now, good until the next trip; under the lock, so that no later place is signed first."""
    with journals.folder.locked():
        position = journals.stream(stream).position()
        return journal.sign_checkpoint(position, at_us, at_us + carry.CARRIED_GOOD_US, journals.key)


def _vouched(journals: HubJournals, last: journal.Record, at_us: int) -> journal.Checkpoint:
    """A place behind the head is signed as of the time of its record."""
    position, then_us = journal.position_after(last), moment.to_us(last.header.at)
    return journal.sign_checkpoint(position, then_us, at_us + carry.CARRIED_GOOD_US, journals.key)


def _records(stream: Stream, place: Place, until: journal.Position) -> Iterator[journal.Record]:
    while place.position.place < until.place and (page := stream.page(place)):
        for record, place in page:  # noqa: B007  # the next page begins behind the last record of this one
            if record.header.place > until.place:
                return
            yield record


def _carry_assets(
    folder: HubFolder, site: str, stick: Stick, label: Label, lacking: Sequence[tuple[str, int | None]]
) -> Loaded:
    """Those that the site may read, as far as there is room. The note says what is left before and after."""
    library = Library(folder)
    readable = [
        Load(digest, library.path_of(digest).stat().st_size, by_us)
        for digest, by_us in lacking
        if library.may_read(site, digest)
    ]
    goes, loaded = loading.make_room(stick, "hub", readable)
    _write_note(folder, site, stick, label, loaded)
    line = ProgressLine(Text("写盘", "writing to the stick"), of_bytes=True)
    progress = line.adding(sum(load.size_bytes for load in goes))
    loading.load(stick, "hub", goes, loaded, library.path_of, progress)
    line.end()
    _write_note(folder, site, stick, label, loaded)
    return loaded


def _write_note(folder: HubFolder, site: str, stick: Stick, label: Label, loaded: Loaded) -> None:
    journals, at = HubJournals(folder), moment.to_text(folder.now_us())
    own = wire.stream_of_site(site)
    have = {own: wire.head_of(journals.stream(own).position())}
    note = Note(
        1, label.id, site, label.hub, "hub", at, have, left_assets=loaded.left_assets, left_bytes=loaded.left_bytes
    )
    stick.write((FOLDERS["hub"], NOTE), carry.encode_note(note, journals.key))
