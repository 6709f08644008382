"""Looks at a stick without taking anything in: whose it is, what lies on it, what of that is not here. Writes nothing.

look(config, path)                 Manifest; what is wrong is in it, and nothing is raised
python -m appliance.manifest PATH  the same as JSON, in a process of its own: a bad stick can make one wait for
                                   minutes, and whoever asked does not have to. SONGSHAN_HOME says of which box
"""

import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec
from sqlite_utils import Database

from appliance import pieces
from appliance import stick as sticks
from appliance.config import Config, load
from appliance.core import carry, wire
from appliance.core.errors import OperatorError, Refused, SongshanError, Text
from appliance.core.journal import parse_public_key
from appliance.core.manifest import Manifest
from appliance.stick import FOLDERS, NOTE, Stick
from appliance.store import hub_keys, journals, kept
from appliance.store.database import reading

COUNTING_S: Final = 4.0
COUNTED_MAX: Final = 20_000
"""A stick that is slow, or holds a library, is ours all the same: what could not be counted is said to be more."""


def look(config: Config, path: Path) -> Manifest:
    """What a stick has to say to this box."""
    if config.hub is None:
        return _wrong("foreign", OperatorError(Text("本节点未加入嵩山云", "this box belongs to no hub")))
    try:
        with sticks.opened(path) as stick:
            return msgspec.structs.replace(_of(config, config.hub.id, stick), **_room(stick))
    except SongshanError as error:
        return _wrong("unreadable", error)


def _of(config: Config, hub: str, stick: Stick) -> Manifest:
    data = stick.read((carry.LABEL,), carry.LABEL_BYTES_MAX)
    if data is None:
        return _without_label(stick)
    try:
        label = carry.parse_label(data)
        carry.check_label(label, config.site, hub)
    except Refused as error:
        return _wrong("foreign", error)
    found = Manifest(whose="ours", site=label.site, hub=label.hub, labelled_at=label.at)
    try:
        with reading(config.database) as db:
            return _what_comes(config, db, stick, label, found)
    except SongshanError as error:
        # Whose it is can be said without a database, and without the rest of the stick.
        return msgspec.structs.replace(found, problem=error.problems[0], hint=error.hint)


def _what_comes(config: Config, db: Database, stick: Stick, label: carry.Label, found: Manifest) -> Manifest:
    assert config.hub is not None, "it was looked for before"
    key = parse_public_key(hub_keys.trusted(db, config.hub.sign_key))
    data = stick.read((FOLDERS["hub"], NOTE), carry.NOTE_BYTES_MAX)
    note = problem = None
    if data is not None:
        try:
            note = carry.parse_note(data, label, "hub", (key,))
        except Refused as error:
            problem = error.problems[0]
    until_s = time.monotonic() + COUNTING_S
    sizes, is_counted = pieces.listed(stick, "hub", lambda found: found >= COUNTED_MAX or time.monotonic() >= until_s)
    new = sizes.keys() - kept.here_among(db, sizes)
    return msgspec.structs.replace(
        found,
        problem=problem,
        loaded_at=note.at if note is not None else None,
        not_carried=note.left_assets if note is not None else 0,
        records=sum(_behind(db, stick, stream) for stream in wire.streams_of_hub(config.site)),
        assets=len(sizes),
        new_assets=len(new),
        new_bytes=sum(sizes[digest] for digest in new),
        is_counted=is_counted,
    )


def _behind(db: Database, stick: Stick, stream: str) -> int:
    """About how many records of a stream are new; what it says is believed when it is taken in, and not before."""
    try:
        head = sticks.read_head(stick, "hub", stream)
    except Refused:
        return 0
    if head is None:
        return 0
    ours, theirs = journals.cursor(db, stream).position, head.position
    return max(0, theirs.seq - (ours.seq if ours.epoch == theirs.epoch else 0)) if theirs.place > ours.place else 0


def _without_label(stick: Stick) -> Manifest:
    there = _not_of_others(stick.names(()))
    if there:
        shown = "、".join(there[:3]), ", ".join(there[:3])
        return Manifest(
            whose="unlabelled",
            problem=Text(f"没有标签，盘上另有 {shown[0]}", f"no label, and other things on it: {shown[1]}"),
            hint=Text("请换空盘，或先清空", "take an empty stick, or empty this one first"),
        )
    return Manifest(whose="empty", problem=Text("空盘，未贴标签", "empty, and without a label"))


def _not_of_others(names: Iterable[str]) -> list[str]:
    return [name for name in names if name not in carry.OF_OTHERS and name != carry.LABEL + sticks.PART]


def _room(stick: Stick) -> dict[str, int]:
    with stick.errors(()):
        disk = os.fstatvfs(stick.root)
    return {"free_bytes": disk.f_bavail * disk.f_frsize, "total_bytes": disk.f_blocks * disk.f_frsize}


def _wrong(whose: str, error: SongshanError) -> Manifest:
    return msgspec.convert({"whose": whose, "problem": error.problems[0], "hint": error.hint}, Manifest)


def main() -> None:
    """The process."""
    found = look(load(None, os.environ), Path(sys.argv[1]))
    sys.stdout.buffer.write(msgspec.json.encode(found) + b"\n")


if __name__ == "__main__":
    main()
