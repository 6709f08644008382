"""`songshan-hub rotate-key`: the hub signs with another key from now on; boxes that were away come over by themselves.

    made        the next key lies beside, in keys/sign.next
    announced   the record is written, the first of a new epoch of all/control; nobody reads it yet
    kept        what the former key leaves behind for those who trust it (keys/rotations/NUMBER.json)
    covered     the record is in force, under the former key
    switched    the next key is keys/sign; the former one is gone
    signed      heads and snapshots of all streams have the new signature

Whoever is killed in between runs it again: what is done is found, and the rest is done.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import msgspec

from appliance.command import say
from appliance.core import journal, moment, records
from appliance.core.errors import Text
from appliance.core.journal import Checkpoint, Position, Record, next_epoch, position_after, sign_checkpoint
from appliance.core.rotation import rotated
from appliance.core.snapshot import sign_statement, statement_text
from appliance.core.wire import batch_of
from provisioning import identity
from provisioning.command import pass_hub
from provisioning.hub import keys, snapshots
from provisioning.hub.folder import HubFolder
from provisioning.hub.journals import CHECKPOINT_GOOD_US, HubJournals, streams_of
from provisioning.hub.keys import Rotation
from provisioning.hub.sites import all_sites
from provisioning.hub.stream import Place, Stream

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ANNOUNCED_IN: Final = "all/control"


@click.command("rotate-key")
@pass_hub
def rotate_key(folder: HubFolder) -> None:
    """Sign with a new key from now on, and destroy the old one. Boxes come over by themselves, also after months.

    Broken off, the same command goes on. Copy the folder keys/ to your backup at once.
    Example: songshan-hub rotate-key
    """
    folder.settings()
    for _done in steps(folder):
        pass
    shown = identity.fingerprint(identity.public_line(identity.read_private(folder.sign_key).public_key()))
    say(Text(f"签名密钥已更换，指纹 {shown}", f"the signing key was changed, fingerprint {shown}"))
    say(Text(f"请立即备份 {folder.sign_key.parent}", f"copy {folder.sign_key.parent} to your backup now"))


def steps(folder: HubFolder) -> Iterator[str]:
    """Change the key, or end what was begun; says what has just become durable. The hub's lock is held throughout."""
    journals = HubJournals(folder)
    with folder.locked():
        begun = keys.rotations(folder)[-1:]
        if not begun or begun[0].is_finished or begun[0].body.sign_key != journals.signs():
            following = identity.make_key_files(folder.next_sign_key, f"{folder.settings().id}-sign")
            _sync(folder.sign_key.parent)
            yield "made"
            record, place = _announce(journals, following)
            yield "announced"
            keys.keep(folder, _left_behind(journals, record, place))
            yield "kept"
            if journals.stream(ANNOUNCED_IN).position().place < place.position.place:
                journals.sign(ANNOUNCED_IN, place)
            yield "covered"
            _switch(folder)
            yield "switched"
        yield from _sign_anew(journals)


def _announce(journals: HubJournals, following: "Ed25519PrivateKey") -> tuple[Record, Place]:
    """Write the record, unless whoever was killed has put it into force.

    In a new epoch: a box that stands on a branch which this hub lost may leave it, though the key cannot sign any more.
    """
    stream, now_us = journals.stream(ANNOUNCED_IN), journals.folder.now_us()
    tail = stream.tail()
    if not tail.is_covered:
        stream.sync(tail.place)
        journals.sign(ANNOUNCED_IN, tail.place)
    body = rotated(journals.folder.settings().id, journals.key, following, now_us)
    for record, place in stream.following(stream.start()):
        if record.header.kind == "rotate" and record.header.key == body.former and record.body is not None:
            said = records.decode(record)
            if isinstance(said, records.Rotate) and said.sign_key == body.sign_key:
                return record, place
    end = stream.tail().place
    stream.end(end)
    last = end.position
    record = journal.append(next_epoch(last), "rotate", body.former, records.encode(body), now_us)
    return record, stream.append(Place(last, 0), [record])


def _left_behind(journals: HubJournals, record: Record, place: Place) -> Rotation:
    """What the former key signs last."""
    body = records.decode(record)
    assert isinstance(body, records.Rotate), "it was found, or written, as one"
    stream, now_us = journals.stream(ANNOUNCED_IN), journals.folder.now_us()
    begins = snapshots.beginning(stream)
    ends = {name: journals.stream(name).tail().place.position for name in _streams(journals.folder)}
    ends[ANNOUNCED_IN] = max(ends[ANNOUNCED_IN], place.position, key=lambda end: end.place)
    return Rotation(
        body=body,
        place=place.position,
        ends=ends,
        begins=statement_text(_vouched(begins, journals.key, now_us).statement) if begins is not None else None,
        checkpoints=tuple(
            journal.checkpoint_text(each) for each in _stretches(stream, record, place.position, journals.key, now_us)
        ),
    )


def _stretches(
    stream: Stream, record: Record, until: Position, key: "Ed25519PrivateKey", now_us: int
) -> Iterator[Checkpoint]:
    """Signatures on every stretch of a stream that fits into a batch, up to a record; as of the time of each place."""
    place, last = stream.start(), None
    while page := [each for each in stream.page(place) if each[1].position.place <= until.place]:
        batch = batch_of([each for each, _place in page])
        place, last = page[len(batch) - 1][1], batch[-1]
        yield _signed(last, key, now_us)
    if last is None or position_after(last) != until:
        yield _signed(record, key, now_us)


def _signed(record: Record, key: "Ed25519PrivateKey", now_us: int) -> Checkpoint:
    at_us = moment.to_us(record.header.at)
    return sign_checkpoint(position_after(record), at_us, now_us + CHECKPOINT_GOOD_US, key)


def _switch(folder: HubFolder) -> None:
    """The next key takes the place of the former one, whose bytes are written over."""
    former = os.open(folder.sign_key, os.O_WRONLY | os.O_CLOEXEC)
    try:
        size_bytes = os.fstat(former).st_size
        folder.next_sign_key.rename(folder.sign_key)
        _sync(folder.sign_key.parent)
        os.pwrite(former, bytes(size_bytes), 0)
        os.fsync(former)
    finally:
        os.close(former)


def _sign_anew(journals: HubJournals) -> Iterator[str]:
    """Heads, snapshots and the public half, with the key that counts now."""
    from appliance.durable import write_atomically

    folder, now_us = journals.folder, journals.folder.now_us()
    line = identity.public_line(journals.key.public_key())
    write_atomically(_public(folder.sign_key), f"{line} {folder.settings().id}-sign\n".encode())
    _public(folder.next_sign_key).unlink(missing_ok=True)
    for name in _streams(folder):
        stream = journals.stream(name)
        tail = stream.tail()
        if tail.is_covered and stream.covered() is None:
            continue
        if not tail.is_covered:
            stream.sync(tail.place)
        journals.sign(name, tail.place)
        snapshots.sign_anew(stream, lambda kept: _vouched(kept, journals.key, now_us))
        yield f"signed {name}"
    keys.keep(folder, msgspec.structs.replace(keys.rotations(folder)[-1], is_finished=True))
    yield "finished"


def _vouched(kept: snapshots.Kept, key: "Ed25519PrivateKey", now_us: int) -> snapshots.Kept:
    """The same snapshot under the word of a key."""
    said = kept.statement
    signed = sign_statement(said.position, said.digest, said.size_bytes, said.records, now_us, key)
    return snapshots.Kept(signed, kept.place)


def _streams(folder: HubFolder) -> tuple[str, ...]:
    """All that the hub writes."""
    names = ["all/control", "all/content", *(name for site in all_sites(folder) for name in streams_of(site.site))]
    return tuple(dict.fromkeys(names))


def _public(path: Path) -> Path:
    return path.with_name(f"{path.name}.pub")


def _sync(folder: Path) -> None:
    from appliance.durable import sync_folder

    sync_folder(folder)
