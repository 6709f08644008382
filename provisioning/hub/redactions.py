"""Redaction at the hub: first the record that says so, then blanks over the body, in place and of its length.

No byte of the file moves, so sizes and places that anybody remembers stay true, and the old bytes are written over
where they lie rather than left behind in a file that was deleted. Killed between record and blanks, whoever looks next
does it (`apply`); killed in the middle of the blanks, whoever reads next (`blanks.finish`).
"""

from collections.abc import Sequence, Set
from pathlib import Path
from typing import Final

import click

from appliance.command import say, say_json
from appliance.core import moment, records
from appliance.core.errors import OperatorError, Refused, Text
from appliance.core.journal import STREAM, Record
from provisioning.command import pass_hub
from provisioning.hub import blanks, forks, leftovers, status
from provisioning.hub.beginnings import records_in
from provisioning.hub.catalogue import Catalogue
from provisioning.hub.folder import HubFolder
from provisioning.hub.journals import HubJournals
from provisioning.hub.sites import all_sites, site_of
from provisioning.hub.stream import Stream
from provisioning.hub.told import forget

LASTING: Final = ("recall", "redact", "rotate")
"""Without its body none would have any effect on a box that reads it later, and what it took away would be back."""


@click.command()
@click.argument("stream")
@click.argument("place", metavar="EPOCH:SEQ")
@click.option("--reason", required=True, help="why; it is on record")
@click.option("--json", "as_json", is_flag=True, help="facts for programs")
@pass_hub
def redact(folder: HubFolder, stream: str, place: str, reason: str, as_json: bool) -> None:
    """Remove the body of one record, here and on every box that has it; the chain still verifies.

    Example: songshan-hub redact dengfeng/report 1:4711 --reason 含个人信息
    """
    folder.settings()
    epoch, seq = _numbers(place)
    order(folder, stream, epoch, seq, reason)
    if as_json:
        say_json({"stream": stream, "epoch": epoch, "seq": seq})
    else:
        say(Text(f"{stream} {place} 的正文已抹除", f"the body of {stream} {place} is gone"))


def order(folder: HubFolder, stream: str, epoch: int, seq: int, reason: str) -> None:
    """Put it on record and do it. Refused when there is no such record or it has no body any more."""
    if not STREAM.fullmatch(stream):
        raise OperatorError(Text(f"没有流 {stream[:80]}", f"no such stream: {stream[:80]}"))
    scope = stream.split("/")[0]
    if scope != "all":
        site_of(folder, scope)
    journals, name = HubJournals(folder), f"{stream} {epoch}:{seq}"
    with journals.writing() as pen:
        record = _find(journals.stream(stream), (epoch, seq))
        if record is None:
            raise Refused(Text(f"没有记录 {name}", f"there is no record {name}"))
        if record.header.kind in LASTING:
            raise Refused(Text("撤稿和抹除的记录不能抹除", "a recall or a redaction cannot itself be redacted"))
        if record.body is None:
            raise Refused(Text(f"{name} 已抹除", f"{name} is redacted already"))
        body = records.Redact(stream, epoch, seq, reason, moment.to_text(folder.now_us()), record.origin)
        pen.append(f"{scope}/control", "redact", name, body)
    apply_all(folder)


def apply_all(folder: HubFolder) -> None:
    """Carry out all that is on record and not yet done."""
    journals = HubJournals(folder)
    apply(journals, Catalogue().read(journals, (site.site for site in all_sites(folder))))


def apply(journals: HubJournals, catalogue: Catalogue) -> None:
    """Carry out what this catalogue knows of. What others keep in memory they forget when they hear of the record."""
    for stream in catalogue.told:
        kept = journals.stream(stream)
        for folder in (kept.folder, kept.forks):
            blanks.finish(folder)
    due = catalogue.to_redact()
    if due:
        leftovers.sweep_words(journals.folder)
    for stream in catalogue.told:
        kept, origins = journals.stream(stream), catalogue.origins_redacted_in(stream)
        state = forks.count(kept), origins
        if origins and state[0] and catalogue.branches_cleared.get(stream) != state:
            _blank(journals, kept, _on_branches(kept, origins))
            catalogue.branches_cleared[stream] = state
    for stream, epoch, seq in due:
        kept = journals.stream(stream)
        forget(kept)
        standing = _in_records(kept, (epoch, seq))
        # Where the stream was cut a snapshot may have another record in this place.
        hashes = {record.hash for _path, _offset, record in standing}
        covered = [each for each in _in_snapshots(kept, (epoch, seq)) if not hashes or each[2].hash in hashes]
        found = (*covered, *standing)
        names = {record.header.body_sha256 for _path, _offset, record in found}
        # The stream itself comes last: killed before that, it is still due.
        _blank(journals, kept, (*_in_forks(kept, names), *found))


def _blank(journals: HubJournals, stream: Stream, places: Sequence[tuple[Path, int, Record]]) -> None:
    """Write over these bodies, and take what a box said of them out of its last status."""
    bodies = {record.body for _path, _offset, record in places if record.body is not None}
    if not bodies:
        return
    for site in all_sites(journals.folder):
        status.forget(journals.folder.site(site.site), bodies)
    for path, offset, record in places:
        if record.body is not None:
            blanks.blank(path, offset, record.hash)


def _find(stream: Stream, place: tuple[int, int]) -> Record | None:
    """A record, wherever it still stands."""
    found = [record for _path, _offset, record in (*_in_records(stream, place), *_in_snapshots(stream, place))]
    return found[0] if found else None


def _in_records(stream: Stream, place: tuple[int, int]) -> list[tuple[Path, int, Record]]:
    """The record in the stream itself: file, offset and record; [] where it is not, or was compacted away."""
    before = stream.before(*place)
    page = stream.page(before, records_max=1) if before is not None else []
    if before is None or not page:
        return []
    return [(stream.folder / f"{place[0]}.records", before.offset, page[0][0])]


def _in_forks(stream: Stream, bodies: set[str]) -> list[tuple[Path, int, Record]]:
    """Records with these bodies in branches that were given up: what was issued again says the same."""
    return [
        (path, offset, record)
        for path in stream.forks.glob("*.records")
        for offset, record in records_in(path)
        if record.header.body_sha256 in bodies
    ]


def _on_branches(stream: Stream, origins: Set[str]) -> list[tuple[Path, int, Record]]:
    """Records of these origins on branches that were given up, and in snapshots that may be of such a one."""
    return [
        (path, offset, record)
        for path in (*stream.forks.glob("*.records"), *stream.folder.glob("*.snapshot"))
        for offset, record in records_in(path)
        if record.origin in origins
    ]


def _in_snapshots(stream: Stream, place: tuple[int, int]) -> list[tuple[Path, int, Record]]:
    """The same in each snapshot that has it."""
    return [
        (path, offset, record)
        for path in stream.folder.glob("*.snapshot")
        for offset, record in records_in(path)
        if record.header.place == place
    ]


def _numbers(place: str) -> tuple[int, int]:
    epoch, colon, seq = place.partition(":")
    if not colon or not (epoch.isdecimal() and seq.isdecimal()):
        raise OperatorError(Text(f"位置写作 EPOCH:SEQ：{place[:40]}", f"a place is EPOCH:SEQ: {place[:40]}"))
    return int(epoch), int(seq)
