"""Records are applied once, in order, in the transaction that moves the cursor past them."""

import json
import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlite_utils import Database

from appliance.core.errors import OperatorError, Refused, Text, WorldError
from appliance.core.journal import (
    Checkpoint,
    Position,
    Record,
    append,
    genesis,
    parse_record,
    position_after,
    sign_checkpoint,
)
from appliance.core.judge import Judgement, Verdict, judge
from appliance.core.records import UnknownKind
from appliance.store import histories, journals
from appliance.store.database import reading, rows, transaction, writing
from tests.appliance.boxes import AT_US, S, dies, watched

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
STREAM = "dengfeng/control"
OWN = "dengfeng/report"


def chain(count: int, last: Position | None = None, kind: str = "order") -> list[Record]:
    position = last or genesis(STREAM)
    records = []
    for number in range(count):
        record = append(position, kind, f"o{number}", json.dumps({"n": number}).encode(), AT_US + number * S)
        records.append(record)
        position = position_after(record)
    return records


def judged(last: Position, records: Sequence[Record]) -> tuple[Judgement, Checkpoint]:
    """The judge's own word on these records, and the checkpoint that covers them."""
    at_us = AT_US + records[-1].header.seq * S
    signed = sign_checkpoint(position_after(records[-1]), at_us, at_us + 60 * S, KEY)
    return judge(last, records, signed, KEY.public_key()), signed


def note(db: Database, record: Record) -> None:
    """An effect that shows when it happened twice."""
    db.execute("INSERT INTO tips SELECT count(*) || '', ?, '', 1 FROM tips", (record.header.key,))


def noted(db: Database) -> list[str]:
    return [row["text"] for row in rows(db, "SELECT text FROM tips ORDER BY rowid")]


def take_in(db: Database, records: Sequence[Record], apply: journals.Apply = note) -> tuple[journals.Waiting, ...]:
    judgement, signed = judged(journals.cursor(db, STREAM).position, records)
    return journals.accept(db, judgement, signed, apply)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "box.db"


def test_before_anything_came_a_stream_stands_at_its_genesis(path: Path) -> None:
    """The box says so to the hub, and gets everything."""
    with writing(path) as db:
        found = journals.cursor(db, STREAM)
        assert (found.position, found.seen_us, found.acked) == (genesis(STREAM), 0, (1, 0))
        assert (journals.cursors(db), journals.checkpoint(db, STREAM)) == ({}, None)


def test_what_was_accepted_is_kept_to_the_byte(path: Path) -> None:
    """The record must verify years later, with the tools of somebody else."""
    records = chain(3)
    with writing(path) as db:
        assert take_in(db, records) == ()
        assert journals.read_from(db, STREAM, (1, 0)) == tuple(records)
        assert journals.read_from(db, STREAM, (1, 1), limit=1) == (records[1],)
        assert journals.cursor(db, STREAM).position == position_after(records[-1])
        assert noted(db) == ["o0", "o1", "o2"]


def test_behind_the_judge_the_table_itself_has_one_record_a_number(path: Path) -> None:
    """Should anything ever be accepted twice, it is neither kept nor done twice."""
    records = chain(3)
    judgement, signed = judged(genesis(STREAM), records)
    with writing(path) as db:
        journals.accept(db, judgement, signed, note)
        with pytest.raises(sqlite3.IntegrityError):
            journals.accept(db, judgement, signed, note)
        assert journals.read_from(db, STREAM, (1, 0)) == tuple(records)
        assert noted(db) == ["o0", "o1", "o2"]


def test_killed_at_any_statement_the_batch_was_done_whole_or_not_at_all(path: Path) -> None:
    """Cursor and effect are one transaction: after the kill the batch comes again and is applied once."""
    records = chain(3)
    writing(path).__enter__().close()

    def take_in_all() -> None:
        with writing(path) as db:
            take_in(watched(db), records)

    steps = 1
    while dies(take_in_all, steps):
        with reading(path) as db:
            found = (noted(db), len(rows(db, "SELECT * FROM journal")), journals.cursor(db, STREAM).position.seq)
        assert found in (([], 0, 0), (["o0", "o1", "o2"], 3, 3)), f"killed at statement {steps}"
        if found[2]:
            break
        steps += 1
    take_in_all()
    with reading(path) as db:
        assert (noted(db), journals.cursor(db, STREAM).position.seq) == (["o0", "o1", "o2"], 3)
    assert steps > 10


def test_the_world_failing_while_applying_takes_back_the_whole_batch(path: Path) -> None:
    """A full disk is not the record's fault: it is not parked, it comes again."""

    def fail_at_two(db: Database, record: Record) -> None:
        note(db, record)
        if record.header.seq == 2:
            raise WorldError(Text("满", "full"))

    with writing(path) as db:
        with pytest.raises(WorldError):
            take_in(db, chain(3), fail_at_two)
        assert (noted(db), journals.cursors(db)) == ([], {})
        take_in(db, chain(3))
        assert noted(db) == ["o0", "o1", "o2"]


@settings(max_examples=15, deadline=None)
@given(cuts=st.lists(st.tuples(st.integers(0, 7), st.integers(1, 8)), min_size=1, max_size=8))
def test_however_the_records_arrive_each_is_applied_once(
    cuts: list[tuple[int, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Batches overlap, repeat and start anew after every lost connection."""
    records = chain(8)
    with writing(tmp_path_factory.mktemp("box") / "box.db") as db:
        for start, size in [*cuts, (0, 8)]:
            have = journals.cursor(db, STREAM).position
            batch = records[min(start, have.seq) : min(start, have.seq) + size]
            judgement, signed = judged(have, batch)
            if judgement.verdict in (Verdict.ACCEPTED, Verdict.DUPLICATE):
                journals.accept(db, judgement, signed, note)
        assert noted(db) == [record.header.key for record in records]
        assert journals.read_from(db, STREAM, (1, 0)) == tuple(records)


@pytest.mark.parametrize(
    "refusal",
    [Refused(Text("不行", "no")), OperatorError(Text("不行", "no")), UnknownKind(Text("不行", "no"))],
    ids=("refused", "bad", "unknown"),
)
def test_a_record_that_cannot_be_applied_is_parked_and_the_rest_go_on(path: Path, refusal: Exception) -> None:
    """One bad record must not stop the recalls behind it; what it had begun to do is taken back."""

    def refuse_two(db: Database, record: Record) -> None:
        note(db, record)
        if record.header.seq == 2:
            raise refusal

    with writing(path) as db:
        held = take_in(db, chain(3), refuse_two)
        assert [(each.seq, each.kind, each.key, each.reason.en) for each in held] == [(2, "order", "o1", "no")]
        assert noted(db) == ["o0", "o2"]
        assert (journals.parked(db), journals.parked_count(db)) == (held, 1)
        assert journals.cursor(db, STREAM).position.seq == 3
        assert len(journals.read_from(db, STREAM, (1, 0))) == 3


def test_what_was_parked_is_applied_after_an_upgrade(path: Path) -> None:
    """A kind of tomorrow waits for the software of tomorrow."""

    def refuse(_db: Database, _record: Record) -> None:
        raise UnknownKind(Text("不认识", "unknown"))

    with writing(path) as db:
        take_in(db, chain(3), refuse)
        assert journals.apply_parked(db, refuse) == 0
        assert journals.parked_count(db) == 3
        assert journals.apply_parked(db, note) == 3
        assert (noted(db), journals.parked(db)) == (["o0", "o1", "o2"], ())


def test_all_that_was_parked_gets_its_turn_however_much_it_is(path: Path) -> None:
    """What still cannot be applied must not stand before what can."""

    def refuse(_db: Database, _record: Record) -> None:
        raise UnknownKind(Text("不认识", "unknown"))

    def refuse_most(db: Database, record: Record) -> None:
        if record.header.seq <= journals.PAGE_RECORDS_MAX + 10:
            raise UnknownKind(Text("不认识", "unknown"))
        note(db, record)

    with writing(path) as db:
        take_in(db, chain(journals.PAGE_RECORDS_MAX + 12), refuse)
        assert journals.apply_parked(db, refuse_most) == 2
        assert len(noted(db)) == 2


def test_a_redacted_record_is_kept_without_its_body(path: Path) -> None:
    """The chain still verifies when what a citizen wrote has been removed."""
    records = chain(2)
    redacted = parse_record(records[0].header_bytes, None)
    with writing(path) as db:
        take_in(db, [redacted, records[1]])
        kept = journals.read_from(db, STREAM, (1, 0))
        assert (kept[0].body, kept[0].hash, kept[1]) == (None, records[0].hash, records[1])


def test_the_newest_checkpoint_is_kept_and_never_an_older_one(path: Path) -> None:
    """Its age is what the screen shows, and what tells a rewind from an old message come late."""
    records = chain(2)
    position = position_after(records[-1])
    with writing(path) as db:
        take_in(db, records)
        newer = sign_checkpoint(position, AT_US + 900 * S, AT_US + 960 * S, KEY)
        journals.keep_checkpoint(db, newer)
        journals.keep_checkpoint(db, sign_checkpoint(position, AT_US + 300 * S, AT_US + 360 * S, KEY))
        found = journals.cursor(db, STREAM)
        assert (found.seen_us, found.next_by_us) == (AT_US + 900 * S, AT_US + 960 * S)
        assert journals.checkpoint(db, STREAM) == newer


def test_what_this_site_says_is_a_chain_of_its_own(path: Path) -> None:
    """The hub judges it as the box judges the hub."""
    with writing(path) as db:
        with transaction(db):
            journals.append_own(db, OWN, [("take", "i1", b'{"item":"i1"}')], AT_US)
        with transaction(db):
            journals.append_own(db, OWN, [("untake", "i1", b'{"item":"i1"}'), ("take", "i2", b'{"item":"i2"}')], AT_US)
        said = journals.read_from(db, OWN, (1, 0))
        signed = sign_checkpoint(position_after(said[-1]), AT_US, AT_US + S, KEY)
        judgement = judge(genesis(OWN), said, signed, KEY.public_key())
        assert (judgement.verdict, len(judgement.accepted)) == (Verdict.ACCEPTED, 3)
        assert journals.cursor(db, OWN).position == position_after(said[-1])


def test_nothing_is_said_outside_the_transaction_that_does_it(path: Path) -> None:
    """A take that is said and not done, or done and not said, would never be noticed."""
    with writing(path) as db:
        with pytest.raises(AssertionError):
            journals.append_own(db, OWN, [("take", "i1", b"{}")], AT_US)
        with pytest.raises(RuntimeError), transaction(db):
            journals.append_own(db, OWN, [("take", "i1", b"{}")], AT_US)
            raise RuntimeError
        assert (journals.cursors(db), journals.unsent(db, OWN)) == ({}, 0)


def test_acknowledgements_never_go_back(path: Path) -> None:
    """A late message must not make the box send again what the hub has."""
    with writing(path) as db:
        with transaction(db):
            journals.append_own(db, OWN, [("take", f"i{number}", b"{}") for number in range(5)], AT_US)
        journals.acknowledged(db, OWN, 1, 3)
        journals.acknowledged(db, OWN, 1, 2)
        assert (journals.cursor(db, OWN).acked, journals.unsent(db, OWN)) == ((1, 3), 2)


def test_the_same_record_twice_is_a_bug_that_shows(path: Path) -> None:
    """The judge does not let it through; if anything does, the database says so and takes the batch back."""
    records = chain(1)
    judgement, signed = judged(genesis(STREAM), records)
    with writing(path) as db:
        journals.accept(db, judgement, signed, note)
        with pytest.raises(Exception, match="UNIQUE"):
            journals.accept(db, judgement, signed, note)
        assert noted(db) == ["o0"]


def test_the_checkpoint_that_reaches_furthest_is_kept_though_the_writer_s_clock_was_set_back(path: Path) -> None:
    """All that is here must be given back to the writer under his signature; the time that was seen never goes back."""
    first = chain(1)
    with writing(path) as db:
        judgement, signed = judged(genesis(STREAM), first)
        journals.accept(db, judgement, signed, note)
        second = chain(1, position_after(first[0]))
        earlier_us = signed.at_us - 3600 * S
        back = sign_checkpoint(position_after(second[0]), earlier_us, earlier_us + 60 * S, KEY)
        judgement = judge(position_after(first[0]), second, back, KEY.public_key(), signed.at_us)
        journals.accept(db, judgement, back, note)
        assert journals.checkpoint(db, STREAM) == back
        assert journals.cursor(db, STREAM).seen_us == signed.at_us


def test_nothing_that_is_asked_at_each_event_reads_the_whole_journal(path: Path) -> None:
    """After a year it has a million rows, and the agent has one thread: each query goes by an index to its rows."""
    asked: set[str] = set()
    with writing(path) as db:
        take_in(db, chain(3))
        db.conn.set_trace_callback(asked.add)
        take_in(db, chain(6)[3:])
        with transaction(db):
            journals.append_own(db, OWN, [("tip", "t", b"{}")], AT_US)
        journals.unsent(db, OWN)
        journals.parked_count(db)
        journals.apply_parked(db, note)
        journals.release(db, STREAM, note)
        journals.has_newer(db, chain(1)[0])
        journals.acknowledged(db, OWN, 1, 1)
        histories.held_count(db)
        histories.last_seen(db, OWN)
        db.conn.set_trace_callback(None)
        plans = {
            sql: [row[3] for row in db.conn.execute(f"EXPLAIN QUERY PLAN {sql}")]
            for sql in asked
            if sql.startswith(("SELECT", "UPDATE")) and "journal" in sql
        }
    # A plan ends with what it looks for: the stream alone would be all of it.
    whole = ("SCAN journal", "SEARCH journal USING INDEX sqlite_autoindex_journal_1 (stream=?)")
    few = ("USING INDEX journal_held", "USING INDEX journal_parked", "USING COVERING INDEX journal_")
    slow = {
        sql: plan
        for sql, plan in plans.items()
        if any(
            step.startswith(whole[0]) or step == whole[1] for step in plan if not any(index in step for index in few)
        )
    }
    assert len(plans) > 5
    assert slow == {}
