"""Carrying by disk (捎带): what a stick says of itself, what goes on it and in which order. docs/formats.md, section 8.

    songshan-usb.json                         the label: whose stick it is
    from-hub/  from-box/                      each written by one side alone
        note                                  how far that side has come, signed
        streams/SCOPE/NAME/EPOCH-SEQ.records  a page: a checkpoint, and the records that it vouches for
        streams/SCOPE/NAME/checkpoint         where the stream stands
        assets/ab/HEX, HEX.1, HEX.2 ...       an asset in pieces that every file system takes

Nothing of a stick is believed that is not signed or named by its hash: pages go before the same judge as a session's
batches, assets through the same hash as what rsync brought.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Final, Literal

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from appliance.core.asset import hex_of
from appliance.core.errors import Refused, Text
from appliance.core.journal import (
    Broken,
    Checkpoint,
    Record,
    body_of_line,
    checkpoint_text,
    parse_checkpoint_text,
    parse_record,
)
from appliance.core.moment import US, to_us
from appliance.core.signed import is_signed
from appliance.core.wire import Head, KeyText

Side = Literal["hub", "box"]

LABEL: Final = "songshan-usb.json"
LABEL_BYTES_MAX: Final = 4 * 1024
NOTE_BYTES_MAX: Final = 32 * 1024 * 1024
ASSETS_TOLD_MAX: Final = 100_000
"""Assets that a note lists, of each kind; what is beyond travels twice or waits for the next trip."""
PAGE_RECORDS: Final = 1024
PAGE_BYTES: Final = 1024 * 1024
"""Headers and bodies of one page; a larger record goes alone."""
PAGE_FILE_BYTES_MAX: Final = 2 * 1024 * 1024
PAGES_MAX: Final = 20_000
"""Pages of one stream on one stick: twenty million records."""
PIECE_BYTES: Final = 1024**3
"""FAT takes no file of 4 GiB or more."""
CARRIED_GOOD_US: Final = 45 * 86_400 * US
"""The next word of a carried stream is due by the next trip, which may take a month."""
LEFT_FREE_BYTES: Final = 16 * 1024 * 1024
"""Of the room on a stick, for folders, notes and clusters that are not filled."""
OF_OTHERS: Final = frozenset(
    {
        "lost+found",
        "System Volume Information",
        "$RECYCLE.BIN",
        ".Trashes",
        ".Trash-1000",
        ".fseventsd",
        ".Spotlight-V100",
    }
)
"""What file systems and other computers put on an empty stick by themselves."""

_SIGNED_PREFIX: Final = b"songshan-usb-v1\n"
_PAGE: Final = re.compile(r"([1-9][0-9]{0,9})-([0-9]{16})\.records")

Name = Annotated[str, msgspec.Meta(max_length=100)]


class Label(msgspec.Struct, frozen=True):
    """songshan-usb.json: which site and hub the stick goes between, who labelled it and when."""

    v: Literal[1]
    id: Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{32}\Z")]
    site: Name
    hub: Name
    made_by: Side
    at: Name


class Want(msgspec.Struct, frozen=True):
    """An asset that the box lacks, and the moment by which it should be there, if any."""

    digest: Annotated[str, msgspec.Meta(max_length=71)]
    by: str | None = None


class Note(msgspec.Struct, frozen=True):
    """What one side says of itself on a stick.

    `have`: how far it has the streams that the other side writes. Of the box also: `wants`, the most urgent first, and
    `holds`, the digests of what lies on its disk. Of the hub also: how much of what is wanted had no room.
    """

    v: Literal[1]
    stick: str
    site: str
    hub: str
    side: Side
    at: str
    have: dict[str, Head] = {}
    wants: Annotated[tuple[Want, ...], msgspec.Meta(max_length=ASSETS_TOLD_MAX)] = ()
    holds: Annotated[tuple[str, ...], msgspec.Meta(max_length=ASSETS_TOLD_MAX)] = ()
    left_assets: int = 0
    left_bytes: int = 0
    trusts: KeyText = ""
    """Of the box: the signing key of the hub's by which it judges; "" when it does not say."""
    machine: Annotated[str, msgspec.Meta(max_length=64)] = ""
    """Of the box: the machine under it, as in its greeting; "" when it does not say."""
    backup: Annotated[str, msgspec.Meta(max_length=80)] = ""
    """Of the box: the digest of a sealed backup that goes along among its assets, and its size; "": none does."""
    backup_bytes: Annotated[int, msgspec.Meta(ge=0)] = 0


class Load(msgspec.Struct, frozen=True):
    """An asset that should go on a stick."""

    digest: str
    size_bytes: int
    deadline_us: int | None = None


def encode_label(label: Label) -> bytes:
    """The file's bytes."""
    return msgspec.json.format(msgspec.json.encode(label)) + b"\n"


def parse_label(data: bytes) -> Label:
    """Read a label; Refused when it is none of ours."""
    try:
        return msgspec.json.decode(data, type=Label)
    except (ValueError, RecursionError) as error:
        raise Refused(
            Text(f"{LABEL} 不是本系统的标签：{error}", f"{LABEL} is no label of ours: {error}"), hint=_RELABEL
        ) from error


def check_label(label: Label, site: str, hub: str) -> None:
    """Refused unless the stick goes between exactly this site and this hub."""
    if (label.site, label.hub) != (site, hub):
        raise Refused(
            Text(
                f"此盘属于 {label.hub} 与 {label.site}，不是 {hub} 与 {site}",
                f"this stick goes between {label.hub} and {label.site}, not {hub} and {site}",
            ),
            hint=Text("请换正确的盘；没有写入任何内容", "take the right stick; nothing was written"),
        )


def encode_note(note: Note, key: Ed25519PrivateKey) -> bytes:
    """Two lines: the note, and its signature in base64."""
    payload = msgspec.json.encode(note)
    return payload + b"\n" + base64.b64encode(key.sign(_SIGNED_PREFIX + payload)) + b"\n"


def parse_note(data: bytes, label: Label, side: Side, keys: Iterable[Ed25519PublicKey]) -> Note:
    """Read the other side's note; Refused when none of `keys` signed it for this very stick."""
    payload, _, signed = data.partition(b"\n")
    try:
        signature = base64.b64decode(signed.strip(), validate=True)
        if not any(is_signed(_SIGNED_PREFIX, payload, signature, key) for key in keys):
            raise ValueError("the signature is wrong")
        note = msgspec.json.decode(payload, type=Note)
        if (note.stick, note.site, note.hub, note.side) != (label.id, label.site, label.hub, side):
            raise ValueError("it is of another stick")
    except (ValueError, binascii.Error, RecursionError) as error:
        raise Refused(
            Text(f"盘上的说明不可信：{error}", f"the note on the stick cannot be believed: {error}")
        ) from error
    return note


def page_name(first: Record) -> str:
    """What a page that begins with this record is called; names sort as their records do, within an epoch."""
    return f"{first.header.epoch}-{first.header.seq:016d}.records"


def place_of_page(name: str) -> tuple[int, int] | None:
    """Epoch and sequence of a page's first record; None for a name that is none."""
    found = _PAGE.fullmatch(name)
    return (int(found[1]), int(found[2])) if found else None


def pages_behind(names: Iterable[str], after: tuple[int, int]) -> list[str]:
    """The pages that may hold records behind a place, in order: from the last one that begins at or before the next."""
    placed = sorted((place, name) for name in names if (place := place_of_page(name)) is not None)
    begun = [number for number, (place, _name) in enumerate(placed) if place <= (after[0], after[1] + 1)]
    return [name for _place, name in placed[begun[-1] if begun else 0 :]]


def encode_page(records: Sequence[Record], checkpoint: Checkpoint) -> bytes:
    """Payload and signature of the checkpoint in base64, a line each; then two lines for each record."""
    vouched = b"".join(text.encode() + b"\n" for text in checkpoint_text(checkpoint))
    return vouched + encode_records(records)


def encode_records(records: Sequence[Record]) -> bytes:
    """Two lines for each, as in a stream on disk. A part of a snapshot is this alone."""
    return b"".join(record.header_bytes + b"\n" + (record.body or b"") + b"\n" for record in records)


def parse_page(data: bytes) -> tuple[tuple[Record, ...], Checkpoint]:
    """Read a page; Broken when it has not the shape of one. Chain and signature are the judge's business."""
    payload, _, rest = data[:PAGE_FILE_BYTES_MAX].partition(b"\n")
    signature, end, rest = rest.partition(b"\n")
    if not end or len(data) > PAGE_FILE_BYTES_MAX:
        raise _not_whole()
    try:
        checkpoint = parse_checkpoint_text(payload.decode("ascii"), signature.decode("ascii"))
    except UnicodeDecodeError as error:
        raise Broken(Text("盘上的检查点不是 base64", "a checkpoint on the stick is not base64")) from error
    return parse_records(rest), checkpoint


def parse_records(data: bytes) -> tuple[Record, ...]:
    """Read what `encode_records` wrote, at most a page of it; Broken when it is not that."""
    lines = data.split(b"\n")
    if len(data) > PAGE_FILE_BYTES_MAX or lines.pop() or len(lines) % 2 or len(lines) > 2 * PAGE_RECORDS:
        raise _not_whole()
    pairs = zip(lines[::2], lines[1::2], strict=True)
    return tuple(parse_record(header, body_of_line(body)) for header, body in pairs)


def _not_whole() -> Broken:
    return Broken(Text("盘上的流水页不完整", "a page of records on the stick is not whole"))


def pieces_of(size_bytes: int, piece_bytes: int = PIECE_BYTES) -> Iterator[int]:
    """The lengths of an asset's pieces: all but the last are full, and there is at least one."""
    left_bytes = size_bytes
    while left_bytes > piece_bytes:
        yield piece_bytes
        left_bytes -= piece_bytes
    yield left_bytes


def piece_name(digest: str, number: int) -> str:
    """What a piece is called; the first one is called as the asset is everywhere."""
    return f"{hex_of(digest)}.{number}" if number else hex_of(digest)


def most_urgent_first(
    wants: Iterable[Want], named: Mapping[str, int | None], holds: Iterable[str]
) -> list[tuple[str, int | None]]:
    """What the box lacks, each with its deadline, the earliest first and what has none last.

    `wants` is what the box itself says that it lacks; `named` is what records name that it has not seen yet: of those
    what it holds is left out.
    """
    known = set(holds)
    found = {digest: by_us for digest, by_us in named.items() if digest not in known}
    for want in wants:
        found[want.digest] = to_us(want.by) if want.by is not None else None
    return sorted(found.items(), key=lambda each: (2**62 if each[1] is None else each[1], each[0]))


def fitting(loads: Iterable[Load], room_bytes: int) -> tuple[tuple[Load, ...], tuple[Load, ...]]:
    """What goes and what stays, in the order given; what has no room does not keep out a smaller one behind it."""
    goes: list[Load] = []
    stays: list[Load] = []
    for load in loads:
        if load.size_bytes <= room_bytes:
            room_bytes -= load.size_bytes
            goes.append(load)
        else:
            stays.append(load)
    return tuple(goes), tuple(stays)


def batches(records: Iterable[Record]) -> Iterator[tuple[Record, ...]]:
    """Records as pages, read as they are needed."""
    waiting: list[Record] = []
    size_bytes = 0
    for record in records:
        length = len(record.header_bytes) + len(record.body or b"") + 2
        if waiting and (len(waiting) == PAGE_RECORDS or size_bytes + length > PAGE_BYTES):
            yield tuple(waiting)
            waiting, size_bytes = [], 0
        waiting.append(record)
        size_bytes += length
    if waiting:
        yield tuple(waiting)


_RELABEL: Final = Text("先用 usb label 给一个空盘贴标签", "label an empty stick first: usb label")
