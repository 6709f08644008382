"""What children leave behind when they end, read as outcomes."""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from appliance import files
from appliance.config import Config
from appliance.core.asset import Asset, Rendition, hex_of
from appliance.core.errors import Text
from appliance.core.findings import Check
from appliance.core.health import Packaging
from appliance.core.moment import US
from appliance.durable import disk_errors, sync_folder, unlink_durably
from appliance.packaging import Progress
from appliance.spool import NAME
from edge_agent import basis, carrying, live, reading, transfer
from edge_agent.children import Children, Ended
from edge_agent.core.observation import Child
from edge_agent.core.outcomes import (
    Arrived,
    Ceased,
    CommandUnusable,
    Copied,
    DropRead,
    DropUnusable,
    Failed,
    KeysRenewed,
    Looked,
    NotPackaged,
    Outcome,
    Packaged,
    Result,
    Spoilt,
    Unusable,
    Verified,
)
from edge_agent.core.steps import RenewKeys
from edge_agent.memory import Memory
from edge_agent.reading import Reading


class PackagerSaid(msgspec.Struct, frozen=True):
    """The last line of `python -m appliance.packager`: a rendition, or why there is none."""

    rendition: Rendition | None = None
    check: Check | None = None
    segments: bytes = b""
    is_source: bool = False
    refused: Text | None = None
    failed: Text | None = None


class PackagerSays(msgspec.Struct, frozen=True):
    """A line of it before that."""

    progress: Progress


def packaging(children: Children, now_us: int) -> Packaging:
    """The packaging that is under way, and when it will have ended by what it says itself."""
    child = next((each for each in children.running() if each.work == "package"), None)
    if child is None:
        return Packaging()
    *_, last = children.said(child).rpartition(b"\n")[0].split(b"\n")
    try:
        said = msgspec.json.decode(last, type=PackagerSays).progress
    except msgspec.DecodeError:
        return Packaging(source=child.subjects[0])
    ends_us = None if said.left_s is None else now_us + round(said.left_s * US)
    return Packaging(source=child.subjects[0], phase=said.phase, done=round(said.done, 3), ends_us=ends_us)


def of_child(ended: Ended, config: Config, memory: Memory) -> Iterator[Outcome]:
    """What a child that has ended means."""
    match ended.child.work:
        case "fetch" | "upload":
            yield from _of_transfer(ended, config)
        case "look":
            name, *words = ended.child.subjects
            found = carrying.answer(ended.status, ended.said, ended.complained)
            yield Looked(name, tuple(words), found)
        case "carry":
            yield from _of_carrying(ended, config)
        case "package":
            yield _of_packaging(ended, config)
        case "import":
            yield from live.of_import(ended, config)
        case "ask":
            yield from live.of_ask(ended)
        case "renew":
            yield _of_renewing(ended)
        case "adopt" | "verify" | "take" | "base":
            read = reading.answer(ended.status, ended.said, ended.complained)
            yield from of_reading(ended.child, read, memory)


def of_reading(child: Child, read: Reading, memory: Memory) -> Iterator[Outcome]:
    """What a file that was read through turned out to be."""
    if read.each:
        for digest, one in zip(child.subjects, read.each, strict=True):
            yield from of_reading(Child(child.work, (digest,)), one, memory)
        return
    subject, reason = child.subjects[0], read.reason or Text("", "")
    if read.verdict in ("full", "failed") or (child.work == "base" and read.verdict != "done"):
        yield Failed(subject, reason, read.verdict == "full")
        return
    match child.work, read.verdict:
        case "take", _:
            yield from _of_taking(subject, read, reason, memory)
        case "base", _:
            pass
        case "adopt", "done":
            yield Arrived(subject, read.size_bytes, read.frames, read.segments)
        case "adopt", "refused":
            yield Unusable(subject, reason)
        case "verify", "done":
            yield Verified(subject, read.size_bytes)
        case work, _:
            yield Spoilt(subject, reason, work == "verify", is_disk=read.verdict == "unreadable")


def packaged_path(config: Config, source: str) -> Path:
    """Where the packager writes; under which digest it is known is known when it is done."""
    return config.incoming / f"{hex_of(source)}.house"


def _of_renewing(ended: Ended) -> Outcome:
    """Cut off anywhere, the same command goes on: what lies beside the keys says how far it was."""
    if ended.status == 0:
        return KeysRenewed()
    word = ended.complained.strip().partition("\n")[0][:200]
    return Failed(RenewKeys.__name__, Text(f"密钥未换成：{word}", f"the keys were not changed: {word}"))


def _of_transfer(ended: Ended, config: Config) -> Iterator[Outcome]:
    result, reason = transfer.result_of(ended.status, ended.complained)
    is_upload = ended.child.work == "upload"
    result = Result.STOPPED if ended.was_stopped and result is not Result.DONE else result
    for digest in ended.child.subjects:
        staged = files.stage_path(config, digest)
        if result is Result.NO_ROOM and not is_upload:
            # What else is to be written, the database first, needs the room more than this needs its beginning.
            unlink_durably(staged)
            basis.discard(config, digest)
        done_bytes = staged.stat().st_size if not is_upload and staged.exists() else 0
        yield Ceased(digest, is_upload, result, reason, done_bytes)


def _of_carrying(ended: Ended, config: Config) -> Iterator[Outcome]:
    """As of a transfer; each asset of the batch for itself."""
    found = carrying.answer(ended.status, ended.said, ended.complained)
    reason = found.problem or Text("没有拷到", "it was not copied")
    for digest in ended.child.subjects:
        staged = files.stage_path(config, digest)
        if digest in found.digests:
            yield Ceased(digest, False, Result.DONE, Text("已拷完", "copied"), staged.stat().st_size)
            continue
        result = Result.STOPPED if ended.was_stopped else Result.NO_ROOM if found.verdict == "full" else Result.FAILED
        if result is Result.NO_ROOM:
            unlink_durably(staged)
        yield Ceased(digest, False, result, reason, staged.stat().st_size if staged.exists() else 0)


def _of_packaging(ended: Ended, config: Config) -> Outcome:
    """The file goes on as something staged under its own digest, to be read through like all that is staged."""
    source, out = ended.child.subjects[0], packaged_path(config, ended.child.subjects[0])
    try:
        said = msgspec.json.decode(ended.said.strip().rpartition(b"\n")[2], type=PackagerSaid)
    except msgspec.DecodeError:
        last = ended.complained.strip().rpartition("\n")[2][:200]
        said = PackagerSaid(failed=Text(f"转换中断（{ended.status}）：{last}", f"broke off ({ended.status}): {last}"))
    if said.rendition is None or not out.exists():
        reason = said.refused or said.failed or Text("转换没有结果", "nothing came of it")
        is_final, no_room = said.refused is not None, "disk is full" in reason.en
        return NotPackaged(source, reason, is_final=is_final, no_room=no_room, check=said.check)
    check = said.check or Check()
    if said.is_source:
        unlink_durably(out)
        return Packaged(source, said.rendition, check, said.segments)
    with disk_errors(out):
        out.rename(files.stage_path(config, said.rendition.digest))
        sync_folder(out.parent)
    return Packaged(source, said.rendition, check)


def _of_taking(subject: str, read: Reading, reason: Text, memory: Memory) -> Iterator[Outcome]:
    """A file that came with a command, or one of the drop folder."""
    if read.verdict != "done":
        yield CommandUnusable(subject, reason) if NAME.fullmatch(subject) else DropUnusable(subject, reason)
        if read.digest:
            yield Copied(read.digest)
        return
    if NAME.fullmatch(subject):
        memory.reading.setdefault(subject, []).append(_asset(read, ""))
        return
    entry = memory.drop_of(subject)
    if entry is not None:
        yield DropRead(subject, _asset(read, entry.shown))
    else:
        # It has become another file meanwhile, which is looked at by itself.
        yield Copied(read.digest)


def _asset(read: Reading, name: str) -> Asset:
    return Asset(read.digest, read.size_bytes, name, read.media_type, read.role, read.duration_s)
