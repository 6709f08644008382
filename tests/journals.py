"""Journals by the million: what a year of a county's records is like, written quickly enough to be measured.

The bytes are what `journal.append` would write; a test holds the two together.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlite_utils import Database

from appliance.core import journal, records
from appliance.core.item import Item, SignOff
from appliance.core.moment import US, to_text
from appliance.store.database import transaction
from provisioning.hub.stream import Stream

YEAR: Final = 1_000_000
BEGAN_US: Final = 1_763_900_000_000_000
"""A year before the tests' present."""
STEP_US: Final = 31 * US
GOOD_US: Final = 600 * US
CHANNEL: Final = "dengfeng-2"
"""What aired there; an agent that runs on such a journal has the first one."""
_BATCH: Final = 20_000

Said = tuple[str, str, bytes]
"""Kind, key and body."""


@dataclass(frozen=True)
class Line:
    """A record as two lines, with what a table wants of it."""

    seq: int
    kind: str
    key: str
    header: bytes
    body: bytes
    hash: str
    at_us: int


def chain(stream: str, said: Iterable[Said], step_us: int = STEP_US) -> Iterator[Line]:
    """Records of one stream from its first on."""
    prev = journal.NO_HEAD
    for seq, (kind, key, body) in enumerate(said, start=1):
        at_us = BEGAN_US + seq * step_us
        header = (
            f'{{"v":1,"stream":"{stream}","epoch":1,"seq":{seq},"prev":"{prev}","kind":"{kind}","key":"{key}",'
            f'"at":"{to_text(at_us)}","body_sha256":"{hashlib.sha256(body).hexdigest()}","body_size_bytes":{len(body)}}}'
        ).encode()
        prev = hashlib.sha256(header).hexdigest()
        yield Line(seq, kind, key, header, body, prev, at_us)


def reports(count: int) -> Iterator[Said]:
    """What a site says in a year: what aired, minute by minute, and now and then something that a person did."""
    prev, aired = journal.NO_HEAD, 0
    for number in range(count):
        if number % 500 == 0:
            yield (
                "tip",
                f"tip-{number}",
                records.encode(records.Tip(f"tip-{number}", "村口的路灯坏了", AT, "13800000000")),
            )
        elif number % 500 == 1:
            yield "take", f"offer-{number}", records.encode(records.Take(f"offer-{number}"))
        else:
            aired += 1
            row = {
                "channel": CHANNEL,
                "seq": aired,
                "prev": prev,
                "start": AT,
                "duration_s": 60.0,
                "kind": "programme",
                "planned": True,
                "title": "早间新闻",
                "entry": "e1",
                "date": "2025-11-23",
                "version": 1,
                "asset": None,
                "rendition": DIGEST,
                "from_s": 0.0,
                "first_msn": aired * 30,
                "last_msn": aired * 30 + 29,
                "status": ["Aired Without Discrepancy"],
                "reason": None,
                "evidence": ["ledger"],
            }
            prev = hashlib.sha256(msgspec.json.encode(row)).hexdigest()
            yield "asrun", CHANNEL, records.encode(records.AsRun(CHANNEL, ({**row, "hash": prev},)))


def stories(count: int, kind: str = "offer") -> Iterator[Said]:
    """What the supermarket offers, or a site is given."""
    for number in range(count):
        item = Item(
            id=f"{kind}-{number}",
            title="嵩山秋色",
            section="news",
            origin="hub",
            created_at=AT,
            summary="满山红叶",
            body_html="<p>满山红叶。</p>" * 10,
            sign_offs=(SignOff("final", "songshan", AT),),
        )
        yield kind, item.id, msgspec.json.encode(item)


def write_stream(stream: Stream, lines: Iterable[Line], key: Ed25519PrivateKey, at_us: int) -> int:
    """Write a whole stream as a hub keeps it, its head signed at `at_us`; how many records."""
    stream.folder.mkdir(parents=True, exist_ok=True)
    last, size_bytes = None, 0
    with (stream.folder / "1.records").open("wb") as file:
        for last in lines:
            size_bytes += file.write(b"%b\n%b\n" % (last.header, last.body))
    assert last is not None
    position = journal.Position(stream.name, 1, last.seq, last.hash)
    stream.cover(journal.sign_checkpoint(position, at_us, at_us + GOOD_US, key), size_bytes)
    return last.seq


def write_table(
    db: Database, stream: str, lines: Iterable[Line], state: str, key: Ed25519PrivateKey, at_us: int
) -> int:
    """Write a whole stream as a box keeps it, without any effect; how many records."""
    columns = "stream, epoch, seq, hash, header, body, kind, key, state"
    insert = f"INSERT INTO journal ({columns}) VALUES (?, 1, ?, ?, ?, ?, ?, ?, ?)"  # names of our own
    last, batch = None, list[tuple[object, ...]]()
    with transaction(db):
        for last in lines:
            batch.append((stream, last.seq, last.hash, last.header, last.body, last.kind, last.key, state))
            if len(batch) == _BATCH:
                db.conn.executemany(insert, batch)
                batch.clear()
        db.conn.executemany(insert, batch)
        assert last is not None
        signed = journal.sign_checkpoint(journal.Position(stream, 1, last.seq, last.hash), at_us, at_us + GOOD_US, key)
        db.conn.execute(
            "INSERT OR REPLACE INTO cursors (stream, epoch, seq, head, checkpoint_payload, checkpoint_signature,"
            " checkpoint_at_us, next_by_us, acked_epoch, acked_seq) VALUES (?, 1, ?, ?, ?, ?, ?, ?, 1, ?)",
            (stream, last.seq, last.hash, signed.payload, signed.signature, signed.at_us, signed.next_by_us, last.seq),
        )
    return last.seq


def write_asrun(db: Database, lines: Iterable[Line]) -> None:
    """Write the log of what aired that these records report."""
    with transaction(db):
        for seq, line in enumerate((line for line in lines if line.kind == "asrun"), start=1):
            row = msgspec.json.decode(line.body)["rows"][0]
            hash_ = row.pop("hash")
            db.conn.execute(
                "INSERT INTO asrun (channel, seq, start_tick, end_tick, hash, document) VALUES (?, ?, ?, ?, ?, ?)",
                (CHANNEL, seq, seq, seq, hash_, msgspec.json.encode(row)),
            )


DIGEST: Final = "sha256:" + "0" * 64
AT: Final = to_text(BEGAN_US)
