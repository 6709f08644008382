"""What a box's stick brings to the hub: the site's report, by the way of a session; the assets of its submissions.

Nothing is written to the stick. In whatever order sticks and sessions come, and however often, each record counts once.
"""

from dataclasses import dataclass, field
from typing import Final

from appliance import pieces
from appliance import stick as sticks
from appliance.core import carry, journal, wire
from appliance.core.asset import hex_of, parse_digest
from appliance.core.carry import Label, Note
from appliance.core.errors import Refused, Text
from appliance.core.judge import Verdict
from appliance.core.machine import may_write
from appliance.durable import sync_folder
from appliance.progress import ProgressLine
from appliance.stick import Stick
from provisioning.hub.backups_sent import is_last, keep_sent
from provisioning.hub.carry import count_as_heard, joined, word_of_box
from provisioning.hub.folder import HubFolder
from provisioning.hub.intake import FileAnswer, Intake
from provisioning.hub.journals import HubJournals
from provisioning.hub.keeping import receive
from provisioning.hub.library import Library
from provisioning.hub.machines import machines_of, why_fenced
from provisioning.hub.refusals import log_refusal
from provisioning.hub.rekeying import key_of
from provisioning.hub.sites import Site

CARRIED: Final = ".carried"
"""Ends the name of an upload that is being copied from a stick."""


@dataclass
class Taken:
    """What was taken from a stick."""

    site: str
    stick: str
    records: int = 0
    assets: int = 0
    bytes: int = 0
    backup: bool = False
    """Whether a sealed backup of the box was among it, and is kept."""
    waiting: int = 0
    """Submissions that cannot be answered yet: files of theirs have not come."""
    problems: list[Text] = field(default_factory=list)


def take_in(folder: HubFolder, stick: Stick, label: Label) -> Taken:
    """Take in what a box put on its stick. Order and repetition do not matter: what is known already is passed over.

    Raises Refused for a site that is fenced, and when records cannot be accepted, with what was accepted before kept;
    what is wrong with single assets is in `problems`.
    """
    known, journals = joined(folder, label.site), HubJournals(folder)
    word = word_of_box(folder, known, stick, label)
    _check_fence(folder, known.site, word.note.machine if word.note is not None else "")
    intake = Intake(folder, known.site, journals)
    count_as_heard(folder, known.site, word)
    done = Taken(known.site, label.id)
    _take_records(intake, known, stick, done)
    intake.settle()
    _take_assets(intake, stick, done)
    if word.note is not None and word.note.backup:
        _take_backup(intake, stick, word.note, done)
    done.waiting = len(intake.waiting())
    return done


def _take_backup(intake: Intake, stick: Stick, note: Note, done: Taken) -> None:
    """What the box's own signed word calls its backup; as of one that came in a session."""
    folder, site, settings = intake.folder, intake.site, intake.folder.settings()
    digest, size_bytes = parse_digest(note.backup), note.backup_bytes
    if not settings.backups_kept or is_last(folder, site, digest) or not 0 < size_bytes <= settings.backup_bytes_max:
        return
    if not pieces.holds_asset(stick, "box", digest, size_bytes):
        return
    staged = folder.site(site).uploaded / f"{hex_of(digest)}{CARRIED}"
    if pieces.get_asset(stick, "box", digest, size_bytes, staged, lambda _bytes: None) != digest:
        staged.unlink()
        done.problems.append(Text(f"备份 {digest} 的内容与指纹不符", f"the backup {digest} is not what it is called"))
        return
    staged.rename(folder.site(site).uploaded / hex_of(digest))
    answer = keep_sent(folder, site, FileAnswer(digest, "taken", Text("", "")))
    done.backup = answer.verdict == "taken"
    if not done.backup:
        log_refusal(folder, site, "backup", f"stick: {digest}", answer.reason)
        done.problems.append(answer.reason)


def _check_fence(folder: HubFolder, site: str, machine: str) -> None:
    """While two machines stand for the site, what a stick brings waits as well; and of one that was not chosen nothing
    is taken by this way either. A box of before does not say which machine it runs on."""
    machines = machines_of(folder, site)
    if not may_write(machines, machine):
        raise Refused(why_fenced(machines, machine, site))


def _take_records(intake: Intake, known: Site, stick: Stick, done: Taken) -> None:
    assert known.sign_key is not None, "it has joined"
    stream = wire.stream_of_site(known.site)
    folder, report = sticks.stream_folder("box", stream), intake.journals.stream(stream)
    for name in carry.pages_behind(stick.names(folder), report.position().place):
        data = stick.read((*folder, name), carry.PAGE_FILE_BYTES_MAX)
        try:
            arrived, checkpoint = carry.parse_page(data or b"")
        except journal.Broken as broken:
            raise _refused(intake, name, broken.problems[0]) from broken
        before = report.position()
        judgement = receive(intake, key_of(intake.folder, known.site, checkpoint), arrived, checkpoint)
        if judgement.verdict not in (Verdict.ACCEPTED, Verdict.DUPLICATE, Verdict.STALE):
            raise _refused(intake, f"{name} {judgement.verdict.value}", judgement.reason)
        if judgement.position != before:
            done.records += len(judgement.accepted)


def _refused(intake: Intake, what: str, reason: Text) -> Refused:
    log_refusal(intake.folder, intake.site, "record", f"stick: {what}", reason)
    return Refused(
        Text(f"盘上的流水 {what}：{reason.zh}", f"records on the stick, {what}: {reason.en}"),
        hint=Text(
            "请县里重新导出：songshan usb export DIR --all", "have the box export again: songshan usb export DIR --all"
        ),
    )


def _take_assets(intake: Intake, stick: Stick, done: Taken) -> None:
    """Copy, hash, keep: each lies where an upload lies once it was found right, and is claimed in the same way."""
    own, library = intake.folder.site(intake.site), Library(intake.folder)
    limit_bytes = intake.folder.settings().upload_bytes_max
    lacking: dict[str, int] = {}
    for submission in intake.waiting():
        for asset in submission.item.assets:
            is_here = (own.uploaded / hex_of(asset.digest)).is_file() or library.may_read(intake.site, asset.digest)
            if not is_here and 0 < asset.size_bytes <= limit_bytes:
                lacking[asset.digest] = asset.size_bytes
    there = {digest: size for digest, size in lacking.items() if pieces.holds_asset(stick, "box", digest, size)}
    line = ProgressLine(Text("读盘", "reading the stick"), of_bytes=True)
    progress = line.adding(sum(there.values()))
    for digest, size_bytes in there.items():
        staged = own.uploaded / f"{hex_of(digest)}{CARRIED}"
        if pieces.get_asset(stick, "box", digest, size_bytes, staged, progress) != digest:
            staged.unlink()
            reason = Text(f"{digest} 的内容与指纹不符", f"{digest} is not what it is called")
            log_refusal(intake.folder, intake.site, "upload", f"stick: {digest}", reason)
            done.problems.append(reason)
            continue
        staged.rename(own.uploaded / hex_of(digest))
        sync_folder(own.uploaded)
        done.assets += 1
        done.bytes += size_bytes
        intake.settle()
    line.end()
