"""What reads a stick is a process of its own, since a stick can make one wait: `python -m edge_agent.carrying`.

    label PATH                        whose stick it is, and the hub's note
    pages PATH STREAM EPOCH SEQ       the next pages of a stream behind a place, and its head behind the last of them;
                                      or what vouches for a snapshot that reaches beyond the place
    part PATH STREAM NUMBER           a part of that snapshot
    find PATH DIGEST=SIZE ...         which of these assets lie there whole
    copy PATH DIGEST=SIZE ...         copy these to where a transfer would stage them

The answer is one line of JSON. Nothing is written to the stick. Each can be killed at any time and done again.
"""

import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from appliance import files, pieces, shut_out
from appliance import stick as sticks
from appliance.config import Config, load
from appliance.core import carry
from appliance.core.asset import parse_digest
from appliance.core.errors import DiskFull, Refused, SongshanError, Text
from appliance.core.journal import Broken, checkpoint_text, parse_public_key
from appliance.core.snapshot import statement_text
from appliance.heeding import heed
from appliance.stick import FOLDERS, NOTE, SNAPSHOT, Stick
from appliance.store import hub_keys
from appliance.store.database import reading
from edge_agent.core.journey import Answer

ANSWER_BYTES: Final = 2 * 1024 * 1024
"""Pages of one answer come to about this, and are at least two where there are two."""


def argv(*words: str) -> tuple[str, ...]:
    """The command that does it."""
    return (sys.executable, "-m", "edge_agent.carrying", *words)


def answer(status: int, said: bytes, complained: str) -> Answer:
    """What a process said; a failure when it died before it could."""
    try:
        return msgspec.json.decode(said.strip().rpartition(b"\n")[2], type=Answer)
    except msgspec.DecodeError:
        last = complained.strip().rpartition("\n")[2][:200]
        return Answer("failed", Text(f"读盘中断（{status}）：{last}", f"reading broke off ({status}): {last}"))


def look(config: Config, words: list[str]) -> Answer:
    """Do it. What goes wrong is an answer too."""
    assert config.hub is not None, "a box that stands alone has no stick"
    try:
        with sticks.opened(Path(words[1])) as stick:
            heed(config, stick)
            shut_out.check(config)
            sticks.read_label(stick, config.site, config.hub.id)
            return _WORK[words[0]](config, stick, *words[2:])
    except DiskFull as error:
        return Answer("full", error.problems[0], error.hint)
    except Refused as error:
        return Answer("refused", error.problems[0], error.hint)
    except SongshanError as error:
        return Answer("failed", error.problems[0], error.hint)


def _label(config: Config, stick: Stick) -> Answer:
    """A note that cannot be believed is none: it says nothing that anything depends on."""
    assert config.hub is not None
    label = sticks.read_label(stick, config.site, config.hub.id)
    data = stick.read((FOLDERS["hub"], NOTE), carry.NOTE_BYTES_MAX)
    if data is None:
        return Answer("done")
    with reading(config.database) as db:
        key = parse_public_key(hub_keys.trusted(db, config.hub.sign_key))
    try:
        return Answer("done", note=carry.parse_note(data, label, "hub", (key,)))
    except Refused as error:
        return Answer("done", error.problems[0])


def _pages(config: Config, stick: Stick, stream: str, epoch: str, seq: str) -> Answer:
    """Each is looked at here first, so that the agent is given nothing that has not at least the shape of a page."""
    folder = sticks.stream_folder("hub", stream)
    try:
        statement = sticks.read_statement(stick, stream)
    except Broken as error:
        return Answer("done", error.problems[0])
    if statement is not None and statement.position.place > (int(epoch), int(seq)):
        return Answer("done", statement=statement_text(statement), is_last=False)
    names = carry.pages_behind(stick.names(folder), (int(epoch), int(seq)))
    pages: list[str] = []
    size_bytes = 0
    for name in names:
        if size_bytes > ANSWER_BYTES and len(pages) > 1:
            return Answer("done", pages=tuple(pages), is_last=False)
        data = stick.read((*folder, name), carry.PAGE_FILE_BYTES_MAX) or b""
        try:
            carry.parse_page(data)
        except Refused as error:
            reason = error.problems[0]
            damaged = Text(f"{name}：{reason.zh}", f"{name}: {reason.en}")
            # What comes before it counts all the same.
            return Answer("done", damaged, pages=tuple(pages))
        pages.append(data.decode())
        size_bytes += len(data)
    head = sticks.read_head(stick, "hub", stream)
    return Answer("done", pages=tuple(pages), head=checkpoint_text(head) if head is not None else None)


def _part(config: Config, stick: Stick, stream: str, number: str) -> Answer:
    data = stick.read((*sticks.stream_folder("hub", stream), f"{SNAPSHOT}.{int(number)}"), carry.PAGE_FILE_BYTES_MAX)
    try:
        carry.parse_records(data or b"")
    except Broken as error:
        return Answer("done", error.problems[0])
    return Answer("done", pages=((data or b"").decode(),))


def _find(config: Config, stick: Stick, *named: str) -> Answer:
    there = tuple(digest for digest, size in map(_sized, named) if pieces.holds_asset(stick, "hub", digest, size))
    return Answer("done", digests=there)


def _copy(config: Config, stick: Stick, *named: str) -> Answer:
    """As many as can be. What is not what it is called is set aside by whoever adopts it, as after a transfer."""
    copied: list[str] = []
    failed = Answer("done")
    for digest, size_bytes in map(_sized, named):
        try:
            pieces.get_asset(stick, "hub", digest, size_bytes, files.stage_path(config, digest), lambda _bytes: None)
        except DiskFull as error:
            return Answer("full", error.problems[0], error.hint, digests=tuple(copied))
        except SongshanError as error:
            failed = Answer("failed", error.problems[0], error.hint)
        else:
            copied.append(digest)
    return msgspec.structs.replace(failed, digests=tuple(copied))


def _sized(named: str) -> tuple[str, int]:
    digest, _, size_bytes = named.partition("=")
    return parse_digest(digest), int(size_bytes)


_WORK: Final[Mapping[str, Callable[..., Answer]]] = {
    "label": _label,
    "pages": _pages,
    "part": _part,
    "find": _find,
    "copy": _copy,
}


def main() -> None:
    """The process; SONGSHAN_HOME says of which box."""
    found = look(load(None, os.environ), sys.argv[1:])
    sys.stdout.buffer.write(msgspec.json.encode(found) + b"\n")


if __name__ == "__main__":
    main()
