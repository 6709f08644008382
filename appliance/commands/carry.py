"""What a box puts on a stick: its report behind what the hub has, the files that go up, and what it lacks itself.

The database is only read, and nothing but the stick is written. The report is signed here with the box's own key, each
page as of the time of its last record: the agent may sign later places meanwhile, and never an earlier one.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlite_utils import Database

from appliance import files, handing, loading, pieces
from appliance import stick as sticks
from appliance.config import Config
from appliance.core import carry, journal, wire
from appliance.core.carry import Label, Load, Note, Want
from appliance.core.errors import Refused, Text
from appliance.core.moment import to_text, to_us
from appliance.loading import Loaded
from appliance.progress import ProgressLine
from appliance.stick import FOLDERS, NOTE, Stick
from appliance.store import assets, histories, hub_keys, journals
from appliance.store.database import reading


@dataclass
class Exported:
    """What is on the stick now, for people and programs."""

    site: str
    stick: str
    records: int = 0
    wants: int = 0
    """Assets that the box asks the hub for."""
    loaded: Loaded = field(default_factory=Loaded)
    backup: bool = False
    """Whether the newest sealed backup that the hub has not got is on it."""


def export(
    config: Config,
    key: Ed25519PrivateKey,
    stick: Stick,
    label: Label,
    *,
    everything: bool = False,
    moved: Callable[[int, int], None] = lambda _done_bytes, _all_bytes: None,
) -> Exported:
    """Put it on a labelled stick; broken off and done again it goes on where it was. With `everything` all records go,
    whatever the hub has said that it has. `moved` is told how much of how much is on it.

    Raises WorldError when the stick is gone or there is no database."""
    own, done = wire.stream_of_site(config.site), Exported(config.site, label.id)
    at_us = config.clock.wall_us()
    with reading(config.database) as db:
        after = (1, 0) if everything else _hub_has(config, db, own, stick, label)
        until = journals.cursor(db, own).position
        pages = ((page, _vouched(page[-1], key, at_us)) for page in carry.batches(_records(db, own, after, until)))
        done.records = sticks.write_pages(stick, "box", own, pages, None)
        note = _note(config, db, label, at_us)
        going = _going(config, db)
    backup = next(iter(handing.waiting(config)), None)
    if backup is not None:
        note = msgspec.structs.replace(note, backup=backup.digest, backup_bytes=backup.size_bytes)
        going.append(Load(backup.digest, backup.size_bytes))
    done.wants = len(note.wants)
    stick.write((FOLDERS["box"], NOTE), carry.encode_note(note, key))
    goes, done.loaded = loading.make_room(stick, "box", going)
    line = ProgressLine(Text("写盘", "writing to the stick"), of_bytes=True)
    all_bytes = sum(load.size_bytes for load in goes)
    moved(0, all_bytes)
    progress = _both(line.adding(all_bytes), moved, all_bytes)
    loading.load(stick, "box", goes, done.loaded, lambda digest: _source(config, digest), progress)
    line.end()
    done.backup = backup is not None and pieces.holds_asset(stick, "box", backup.digest, backup.size_bytes)
    if done.backup:
        handing.is_carried(config)
    return done


def _source(config: Config, digest: str) -> Path:
    """Where an asset lies, or a backup that waits."""
    waiting = handing.path_of(config, digest)
    return waiting if waiting.exists() else files.path_of(config, digest)


def _both(line: Callable[[int], None], moved: Callable[[int, int], None], all_bytes: int) -> Callable[[int], None]:
    """Tells the terminal and whoever else looks."""
    done_bytes = 0

    def more(bytes_: int) -> None:
        nonlocal done_bytes
        done_bytes += bytes_
        line(bytes_)
        moved(done_bytes, all_bytes)

    return more


def _hub_has(config: Config, db: Database, own: str, stick: Stick, label: Label) -> tuple[int, int]:
    """How far the hub has our stream: as it acknowledged over the line, or signed on this stick; the further counts."""
    acked = journals.cursor(db, own).acked
    data = stick.read((FOLDERS["hub"], NOTE), carry.NOTE_BYTES_MAX)
    if data is None or config.hub is None:
        return acked
    with suppress(Refused):
        key = journal.parse_public_key(hub_keys.trusted(db, config.hub.sign_key))
        note = carry.parse_note(data, label, "hub", (key,))
        head = note.have.get(own)
        if head is not None and _is_ours(db, wire.position_of(own, head)):
            return max(acked, (head.epoch, head.seq))
    return acked


def _is_ours(db: Database, has: journal.Position) -> bool:
    if has.seq == 0:
        return False
    found = journals.read_from(db, has.stream, (has.epoch, has.seq - 1), 1)
    return bool(found) and journal.position_after(found[0]) == has


def _records(db: Database, own: str, after: tuple[int, int], until: journal.Position) -> Iterator[journal.Record]:
    while page := journals.read_from(db, own, after):
        for record in page:
            if record.header.place > until.place:
                return
            yield record
        after = page[-1].header.place


def _vouched(last: journal.Record, key: Ed25519PrivateKey, at_us: int) -> journal.Checkpoint:
    return journal.sign_checkpoint(
        journal.position_after(last), to_us(last.header.at), at_us + carry.CARRIED_GOOD_US, key
    )


def _note(config: Config, db: Database, label: Label, at_us: int) -> Note:
    """What we have and lack, so that the next trip brings that and no more."""
    have = {stream: wire.head_of(journals.cursor(db, stream).position) for stream in wire.streams_of_hub(config.site)}
    coming = [each for each in assets.transfers(db) if each.direction == "down"]
    wants = [Want(each.digest, None if each.deadline_us is None else to_text(each.deadline_us)) for each in coming]
    holds = sorted(digest for digest, each in assets.holdings(db).items() if each.state == "here")
    most, stands = carry.ASSETS_TOLD_MAX, histories.standing(db, wire.stream_of_site(config.site))
    return Note(
        *(1, label.id, config.site, label.hub, "box", to_text(at_us)),
        have,
        tuple(wants[:most]),
        tuple(holds[:most]),
        trusts=hub_keys.trusted(db, config.hub.sign_key) if config.hub is not None else "",
        machine=stands.machine if stands is not None else "",
    )


def _going(config: Config, db: Database) -> list[Load]:
    """The files of submissions that the hub has not taken yet."""
    return [
        Load(each.digest, files.path_of(config, each.digest).stat().st_size, each.deadline_us)
        for each in assets.transfers(db)
        if each.direction == "up" and each.state != "done" and files.is_there(config, each.digest)
    ]
